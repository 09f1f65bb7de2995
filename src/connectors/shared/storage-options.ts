/** What connections to files are told, in the same words, wherever the files are. */
import { z } from 'zod';
import { inSchema, parseSize } from '../../core/units.ts';

export interface StorageOptionsInput {
  path: string;
  endpoint?: string | undefined;
  region?: string | undefined;
  force_path_style?: boolean | undefined;
  profile?: string | undefined;
}

/** Of connections whose engines open files. */
export interface CacheOptionsInput {
  cache?: string | undefined;
  cache_size?: string | number | undefined;
}

/** The same after parsing: sizes are bytes. */
export interface CacheOptions extends CacheOptionsInput {
  cache: string;
  cache_size: number;
}

type Text = z.ZodOptional<z.ZodString>;
type Amount = z.ZodType<number, string | number>;

const size = z.union([z.string(), z.number()]).transform(inSchema(parseSize));

/** Fields beside `path`, whose description is the connector's. */
export const storageFields: Record<'endpoint' | 'region' | 'profile', Text> & {
  force_path_style: z.ZodOptional<z.ZodBoolean>;
} = {
  endpoint: z
    .string()
    .regex(/^https?:\/\//, 'must begin with http:// or https://')
    .optional()
    .describe('For `s3://`: address of a store that is not Amazon S3; AWS_ENDPOINT_URL when absent.')
    .meta({ examples: ['https://minio.example.com:9000'] }),
  region: z
    .string()
    .min(1)
    .optional()
    .describe('For `s3://`: region of the bucket; that of AWS_REGION or the profile when absent.'),
  force_path_style: z
    .boolean()
    .optional()
    .describe(
      'For `s3://`: the bucket is part of the path instead of the host name; true with `endpoint`, otherwise false.',
    ),
  profile: z
    .string()
    .min(1)
    .optional()
    .describe(
      'For `s3://`: profile of the AWS configuration files that has the credentials; otherwise they come from the environment, the default profile or the role of the machine.',
    ),
};

export const cacheFields: { cache: z.ZodDefault<z.ZodString>; cache_size: z.ZodDefault<Amount> } = {
  cache: z
    .string()
    .min(1)
    .default('.sluice/cache')
    .describe(
      'For `s3://`: local folder, relative to the project, for files that are being written or were read; may be deleted when no run needs it.',
    ),
  cache_size: size
    .default(5_000_000_000)
    .describe(
      'For `s3://`: how much of what was read stays in that folder for the next run; default "5 GB".',
    ),
};
