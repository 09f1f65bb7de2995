import { Socket } from 'node:net';

/** Larger than what the kernel holds for us at a time, so that few reads are needed. */
const READ_BYTES = 256 << 10;

/**
 * A socket that reads into one buffer again and again instead of allocating 64 KB for each read. Listeners of
 * 'data' get a view of that buffer: whoever keeps bytes after returning has to copy them. pg's own parser
 * keeps them, so it is handed copies (they are small) unless a listener has said that it copies itself.
 */
export function createReusingSocket(): Socket {
  const socket: Socket & { [COPIES]?: boolean } = new Socket({
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (length: number, buffer: Uint8Array): boolean => {
        const view = Buffer.from(buffer.buffer, buffer.byteOffset, length);
        socket.emit('data', socket[COPIES] ? view : Buffer.from(view));
        return true;
      },
    },
  });
  return socket;
}

const COPIES = Symbol('listeners copy');

/** Says that the listeners of this socket copy what they keep, until told otherwise. */
export function setCopies(socket: Socket, copies: boolean): void {
  (socket as Socket & { [COPIES]?: boolean })[COPIES] = copies;
}
