// A list of moments: what a click does.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button')
  if (button) trigger('taken', {...button.dataset})
})
