/** X.509 certificates for tests, made here so that no private key lies in the repository and none of them runs out. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface Certificate {
  cert: string;
  key: string;
}

export interface Authority extends Certificate {
  name: string;
  privateKey: KeyObject;
}

const DAY = 86_400_000;

export function makeAuthority(name: string): Authority {
  const { publicKey, privateKey } = newKeys();
  const body = {
    issuer: name,
    subject: name,
    from: -DAY,
    to: 365 * DAY,
    publicKey,
    extensions: [basicConstraints()],
  };
  return { name, privateKey, cert: signed(body, privateKey), key: pemOf(privateKey) };
}

export interface Request {
  /** DNS names that the certificate is for. */
  names?: string[];
  ips?: string[];
  /** Days from now; yesterday makes an expired certificate. */
  days?: number;
}

export function issue(authority: Authority, request: Request): Certificate {
  const { publicKey, privateKey } = newKeys();
  const to = (request.days ?? 30) * DAY;
  const extensions = [alternativeNames(request.names ?? [], request.ips ?? [])];
  const body = {
    issuer: authority.name,
    subject: request.names?.[0] ?? 'server',
    from: Math.min(-DAY, to - DAY),
    to,
    publicKey,
    extensions,
  };
  return { cert: signed(body, authority.privateKey), key: pemOf(privateKey) };
}

interface Body {
  issuer: string;
  subject: string;
  from: number;
  to: number;
  publicKey: KeyObject;
  extensions: Buffer[];
}

const ECDSA_SHA256 = sequence(objectId([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));

/** https://www.rfc-editor.org/rfc/rfc5280#section-4.1 */
function signed(body: Body, by: KeyObject): string {
  const serial = randomBytes(8);
  serial[0]! &= 0x7f;
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), serial])),
    ECDSA_SHA256,
    distinguishedName(body.issuer),
    sequence(time(body.from), time(body.to)),
    distinguishedName(body.subject),
    body.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...body.extensions)),
  );
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', content, by)]));
  const base64 = sequence(content, ECDSA_SHA256, signature).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}

function newKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function basicConstraints(): Buffer {
  return sequence(
    objectId([0x55, 0x1d, 0x13]),
    der(0x01, Buffer.from([0xff])),
    der(0x04, sequence(der(0x01, Buffer.from([0xff])))),
  );
}

function alternativeNames(names: string[], ips: string[]): Buffer {
  const list = [
    ...names.map((name) => der(0x82, Buffer.from(name))),
    ...ips.map((ip) => der(0x87, Buffer.from(ip.split('.').map(Number)))),
  ];
  return sequence(objectId([0x55, 0x1d, 0x11]), der(0x04, sequence(...list)));
}

function distinguishedName(name: string): Buffer {
  return sequence(der(0x31, sequence(objectId([0x55, 0x04, 0x03]), der(0x0c, Buffer.from(name)))));
}

function time(fromNow: number): Buffer {
  const text = new Date(Date.now() + fromNow).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return der(0x18, Buffer.from(`${text}Z`));
}

function objectId(bytes: number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
