// The retrieval report in a shadow root. `trigger('pick', {query, match})` explains one of its example pairs.
// value: {style, sections}: CSS and HTML of the report, escaped where it was written.
const host = element.querySelector('.report'), shadow = host.attachShadow({mode: 'open'});
const OURS = `
  :host { --paper: var(--body-background-fill); display: block; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); }
  main { max-width: none; padding: 0; }
  section { margin-top: 2.6rem; }
  .hits button { display: block; width: 100%; padding: 0; font: inherit; text-align: left; color: inherit; background: none; border: 0; cursor: pointer; }
  .hits button:hover img, .hits button:focus-visible img { outline: 3px solid var(--accent); }
  .hits button:focus-visible { outline: none; }
  .hits button::after { content: "Why?"; font-weight: 600; color: var(--accent); }`;

function explainable(image, query) { // a hit's picture becomes a button that explains it
  const button = document.createElement('button');
  button.type = 'button';
  button.setAttribute('aria-label', `Why? ${image.alt}`);
  button.addEventListener('click', () => trigger('pick', {query, match: image.dataset.video}));
  image.replaceWith(button);
  button.append(image);
}

function show() {
  host.hidden = !props.value;
  if (!props.value) return shadow.replaceChildren();
  const {style, sections} = JSON.parse(props.value);
  const sheet = document.createElement('style'), main = document.createElement('main');
  sheet.textContent = style + OURS;
  main.innerHTML = sections;
  shadow.replaceChildren(sheet, main);
  shadow.querySelectorAll('.queries > li').forEach((item) => {
    const query = item.querySelector('.query img');
    if (query) item.querySelectorAll('.hits img').forEach((image) => explainable(image, query.dataset.video));
  });
}
const theme = () => host.classList.toggle('dark', document.body.classList.contains('dark'));
new MutationObserver(theme).observe(document.body, {attributeFilter: ['class']});
theme();
watch('value', show);
show();
