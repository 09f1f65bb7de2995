import { type LogicalType, parseType, renderType } from './types.ts';
import { InternalError } from './errors.ts';

export interface Field {
  /** The name in the destination, after rename. */
  readonly name: string;
  readonly type: LogicalType;
  readonly nullable: boolean;
  /** The source's own name for the type, for people: `character varying(40)`. */
  readonly native?: string | undefined;
  /** The name in the source, where it is another one. */
  readonly source?: string | undefined;
  /** Of a column beside another one: that one, whose type did not take the values that are here. */
  readonly of?: string | undefined;
  /** The source has no such column any more, or its values go to another one. */
  readonly gone?: true | undefined;
  /** Most characters of a text, or bytes of a binary, that the source's column takes; undefined: any number. */
  readonly length?: number | undefined;
}

export interface Schema {
  readonly fields: readonly Field[];
  /** Names of the key columns, empty when the stream has none. */
  readonly key: readonly string[];
  /** The connector whose names `native` holds: a destination of the same kind makes columns of just those types. */
  readonly dialect?: string | undefined;
}

/** The JSON form of a schema, as stored in commit records. */
export interface SchemaJson {
  fields: (Omit<Field, 'type'> & { type: string })[];
  key: string[];
  dialect?: string | undefined;
}

export function schemaToJson(schema: Schema): SchemaJson {
  return {
    fields: schema.fields.map((f) => ({
      name: f.name,
      type: renderType(f.type),
      nullable: f.nullable,
      native: f.native,
      ...(f.source !== undefined && { source: f.source }),
      ...(f.of !== undefined && { of: f.of }),
      ...(f.gone && { gone: f.gone }),
      ...(f.length !== undefined && { length: f.length }),
    })),
    key: [...schema.key],
    ...(schema.dialect !== undefined && { dialect: schema.dialect }),
  };
}

export function schemaFromJson(json: SchemaJson): Schema {
  const fields = json.fields.map((f): Field => {
    const type = parseType(f.type);
    if (!type)
      throw new InternalError(`reading a stored schema: type "${f.type}" of column "${f.name}" is unknown`, {
        code: 'schema.unknown_type',
      });
    return { ...f, native: f.native, type };
  });
  return { fields, key: json.key, ...(json.dialect !== undefined && { dialect: json.dialect }) };
}

export function sameSchema(a: Schema, b: Schema): boolean {
  return JSON.stringify(schemaToJson(a)) === JSON.stringify(schemaToJson(b));
}
