// The map of a library: a rectangle drawn with the pointer asks for the videos in it.
const map = () => element.querySelector('svg')
const clamp = (share) => Math.min(Math.max(share, 0), 1)
let start

// The pointer's place from 0 to 1, y upwards.
function place(event) {
  const box = map().getBoundingClientRect()
  return [clamp((event.clientX - box.left) / box.width), clamp(1 - (event.clientY - box.top) / box.height)]
}

const between = (a, b) => [Math.min(a, b), Math.max(a, b)]
const sides = (event) => place(event).flatMap((end, axis) => between(start[axis], end))

function mark(region) {
  if (!map()) return
  const [left, right, low, high] = region
  const drawn = {x: 100 * left, y: 100 * (1 - high), width: 100 * (right - left), height: 100 * (high - low)}
  for (const [name, value] of Object.entries(drawn)) element.querySelector('.brush').setAttribute(name, value)
}

const shown = () => mark(props.region ? props.region.split(',').map(Number) : [0, 1, 0, 1])

element.addEventListener('pointerdown', (event) => {
  if (!event.target.closest('svg')) return
  event.preventDefault()
  start = place(event)
  map().setPointerCapture(event.pointerId)
})

element.addEventListener('pointermove', (event) => { if (start) mark(sides(event)) })

element.addEventListener('pointerup', (event) => {
  if (!start) return
  const region = sides(event)
  start = null
  if (region[1] - region[0] > 0.01 && region[3] - region[2] > 0.01) trigger('brushed', {region: region.join()})
  else shown()
})

element.addEventListener('pointercancel', () => { start = null; shown() })

watch(['value', 'region'], shown)
