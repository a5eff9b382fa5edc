// Parts of a courier as files of the browser: the node signs, encrypts and judges them; here they are only carried.

/** As the node has it (docs/courier.md); one more byte is not worth sending. */
export const MAX_PART_BYTES = 8 * 1024 * 1024

export interface Carried {
  name: string
  href: string
  n_bytes: number
}

/** A file to save; `href` is to be revoked when it is not offered any more. */
export function carried(name: string, content: string): Carried {
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0))
  return { name, href: URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' })), n_bytes: bytes.length }
}

export const partName = (courier: string, part: number): string => `${courier.slice(0, 8)}-${String(part).padStart(4, '0')}.courier`

export function base64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result).split(',', 2)[1] ?? '')
    reader.onerror = () => reject(reader.error ?? new Error(file.name))
    reader.readAsDataURL(file)
  })
}
