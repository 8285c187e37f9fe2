// Searches that this browser's user gave a name, as links; kept by the browser, never sent.
const MOST = 200;
const find = (selector) => element.querySelector(selector);
const name = find('input'), list = find('ol');
let shown = null; // the search that is on the page: {search: its address}

// Who logs in on a shared browser finds views of their own, and they stay when one logs out.
const kept = () => window.rspnetKept(`rspnet.views ${document.querySelector('.login span')?.textContent ?? ''}`);

function say(text) { find('.said').textContent = text; }

function draw() {
  list.replaceChildren(...kept().read().map((view) => {
    const item = document.createElement('li'), about = document.createElement('div'), link = document.createElement('a');
    const detail = document.createElement('span'), remove = document.createElement('button');
    link.href = `?${new URLSearchParams(view.search)}`;
    link.textContent = view.name;
    detail.textContent = window.rspnetKept.said(view.search);
    remove.type = 'button';
    remove.textContent = 'Remove';
    remove.setAttribute('aria-label', `Remove the view ${view.name}`);
    remove.addEventListener('click', () => {
      kept().write(kept().read().filter((each) => each.name !== view.name));
      draw();
    });
    about.append(link, detail);
    item.append(about, remove);
    return item;
  }));
}

find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const called = name.value.trim(), others = kept().read().filter((each) => each.name !== called);
  if (!called) return say('Give the view a name.');
  if (!shown) return say('Search for a video of the library first.');
  if (others.length >= MOST) return say(`There are ${MOST} views already; remove one first.`);
  if (!kept().write([{search: shown.search, name: called}, ...others])) return say('This browser keeps nothing here.');
  say(`Saved as ${called}.`);
  name.value = '';
  draw();
});
document.addEventListener('rspnet:searched', ({detail}) => { shown = detail; say(''); });
window.addEventListener('storage', draw);
find('.views').addEventListener('toggle', draw);
draw();
