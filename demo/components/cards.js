// Search results: what a click, a key and a new answer do. Runs once; `element` holds the cards, whatever they are.
const cards = () => [...element.querySelectorAll('.card')]
const video = (card) => card.querySelector('video')

function play(card, seconds) {
  for (const other of cards()) if (other !== card) video(other)?.pause()
  if (!video(card)) card.querySelector('.screen').replaceChildren(playerOf(card))
  const player = video(card)
  const {id, step} = card.dataset
  const part = Number(step) && Math.floor(seconds / step)  // a long video is played in parts, one every `step` seconds
  const source = Number(step) ? `media/${id}/${part}.mp4` : `media/${id}.mp4`
  if (player.getAttribute('src') !== source) player.src = source
  player.dataset.begins = part * step
  player.currentTime = seconds - part * step
  player.play()
}

function playerOf(card) {
  const player = document.createElement('video')
  const now = () => Number(player.dataset.begins) + player.currentTime
  Object.assign(player, {controls: true, muted: true, playsInline: true})
  player.setAttribute('aria-label', card.querySelector('h3').innerText)
  player.addEventListener('timeupdate', () =>
    card.querySelector('.now').setAttribute('transform', `translate(${100 * now() / card.dataset.duration} 0)`))
  player.addEventListener('ended', () => { if (now() < card.dataset.duration - 1) play(card, now()) })
  return player
}

// What cannot be shown says why, in the place of the picture.
async function explain(broken) {
  const reply = await fetch(broken.src)
  const told = document.createElement('p')
  told.className = 'message error'
  told.textContent = reply.ok ? element.querySelector('[data-broken]').dataset.broken : await reply.text()
  broken.replaceWith(told)
}

element.addEventListener('error', (event) => explain(event.target), true)

element.addEventListener('click', (event) => {
  const card = event.target.closest('.card')
  const chip = event.target.closest('.chip')
  if (chip) trigger('dropped', {...chip.dataset})
  if (event.target.closest('.more')) trigger('more')
  if (!card) return
  const similar = event.target.closest('button.quiet')
  const verdict = event.target.closest('button.verdict')
  const curve = event.target.closest('.curve')
  if (similar) trigger('similar', {...similar.dataset})
  else if (event.target.closest('button.choose')) trigger('chosen', {...card.dataset})
  else if (verdict) trigger('judged', {...card.dataset, right: pressed(verdict) ? null : verdict.dataset.right === 'true'})
  else if (curve) {
    const box = curve.getBoundingClientRect()
    play(card, card.dataset.duration * (event.clientX - box.left) / box.width)
  } else if (event.target.closest('.play, .strip')) play(card, Number(card.dataset.start))
})

// What is marked and chosen, as the server last told; it tells of which search. Moments meet where they share time.
const pressed = (button) => button.getAttribute('aria-pressed') === 'true'

function meets({id, start, end}, card) {
  const from = Number(card.dataset.start), to = Number(card.dataset.end)
  return id === card.dataset.id && (start === from && end === to || start < to && from < end)
}

function press() {
  const told = props.held.address === element.querySelector('[data-address]')?.dataset.address ? props.held.marks : []
  for (const card of cards()) {
    const marks = told.filter((mark) => meets(mark, card))
    for (const button of card.querySelectorAll('.verdict'))
      button.setAttribute('aria-pressed', marks.some(({right}) => String(right) === button.dataset.right))
    card.querySelector('.choose')?.setAttribute('aria-pressed', props.held.chosen.some((moment) => meets(moment, card)))
  }
}

watch(['value', 'held'], press)

// Left and right go by one card, up and down by one row; `/` goes to the query from anywhere.
function neighbour(card, key) {
  const all = cards()
  const columns = all.filter((other) => other.offsetTop === all[0].offsetTop).length
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[key]
  return step && all[all.indexOf(card) + step]
}

element.addEventListener('keydown', (event) => {
  const button = event.target.closest('.card button')
  const next = button && neighbour(button.closest('.card'), event.key)
  if (!next) return
  event.preventDefault()
  next.querySelector('.play').focus()
})

// Words are searched for when the typing rests. Words that change before the answer outdate that search: the server is
// told, and drops it if its turn has not come yet.
const REST = 300
const query = () => document.querySelector('#query textarea, #query input')
let resting, typings = 0, asked = false

function outdate() {
  clearTimeout(resting)
  typings += 1
  if (asked) trigger('outdated', {typings: typings - 1})
  asked = false
}

document.addEventListener('input', (event) => {
  if (event.target !== query()) return
  outdate()
  resting = setTimeout(() => { asked = true; trigger('typed', {typings}) }, REST)
})

document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.target === query()) outdate()
  if (event.key === 'ArrowDown' && event.target === query()) cards()[0]?.querySelector('.play').focus()
  if (event.key !== '/' || event.target.closest('input, textarea, select, [contenteditable]')) return
  event.preventDefault()
  document.querySelector('[role=tab]').click()
  focusOnceShown(query())
})

function focusOnceShown(field) {
  if (!field.offsetParent) return requestAnimationFrame(() => focusOnceShown(field))
  field.focus()
  field.select()
}

// The address holds what was searched for, so that it can be kept and sent.
watch('value', () => {
  const shown = element.querySelector('[data-address]')
  if (shown) history.replaceState(null, '', shown.dataset.address)
  for (const line of element.querySelectorAll('.now')) line.removeAttribute('transform')
})
