/** A quick 16-bit check value of some bytes: it finds damage, where a hash proves integrity. */

const FACTOR = 0x9e3779b1

/**
 * Mixes the bytes in, four at a time. Multiplying by an odd number loses nothing, so that bytes
 * which differ within four always give another mix, of which the upper half is kept.
 */
export const checkOf = (view: DataView, start: number, end: number): number => {
  let mix = end - start
  let at = start
  for (; at + 4 <= end; at += 4) mix = Math.imul(mix ^ view.getUint32(at, true), FACTOR)
  for (; at < end; at++) mix = Math.imul(mix ^ view.getUint8(at), FACTOR)
  return mix >>> 16
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
