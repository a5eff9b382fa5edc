// A drawing kept as a file: SVG as it stands, or PNG at twice its size.
const MOST_PIXELS = 8000

export function keepSvg(drawing: SVGSVGElement, name: string): void {
  keep(new Blob([text(drawing)], { type: 'image/svg+xml' }), `${name}.svg`)
}

export async function keepPng(drawing: SVGSVGElement, name: string): Promise<void> {
  const box = drawing.viewBox.baseVal
  const scale = Math.min(2, MOST_PIXELS / Math.max(box.width, box.height, 1))
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text(drawing))}`
  await image.decode()
  const canvas = document.createElement('canvas')
  canvas.width = Math.ceil(box.width * scale)
  canvas.height = Math.ceil(box.height * scale)
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height)
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/png'))
  if (blob) keep(blob, `${name}.png`)
}

const STYLES = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'font-size', 'font-weight', 'font-family', 'text-anchor', 'paint-order']

/** The drawing by itself: what style sheets say of it is written into it, on the ground it stands on. */
function text(drawing: SVGSVGElement): string {
  const copy = drawing.cloneNode(true) as SVGSVGElement
  const box = drawing.viewBox.baseVal
  if (drawing.isConnected) {
    const [from, to] = [drawing.querySelectorAll('*'), copy.querySelectorAll('*')]
    from.forEach((node, index) => {
      const style = getComputedStyle(node)
      for (const name of STYLES) to[index]?.setAttribute(name, style.getPropertyValue(name))
    })
    const ground = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
    ground.setAttribute('x', String(box.x))
    ground.setAttribute('y', String(box.y))
    ground.setAttribute('width', String(box.width))
    ground.setAttribute('height', String(box.height))
    ground.setAttribute('fill', getComputedStyle(document.body).getPropertyValue('--sheet').trim() || '#ffffff')
    copy.prepend(ground)
  }
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  copy.setAttribute('width', String(box.width))
  copy.setAttribute('height', String(box.height))
  return new XMLSerializer().serializeToString(copy)
}

function keep(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 1000)
}
