// Building DOM without a framework. Text always goes in as text nodes, so nothing a citizen typed becomes markup.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An element. Properties: `class`, `on…` listeners, `dataset` entries, `value`/`checked`/`disabled`/`hidden` as
 * properties, the rest as attributes (false and null are left out). Children: nodes, texts, arrays; false is nothing.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name === 'class') element.className = value;
    else if (name === 'dataset') Object.assign(element.dataset, value);
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (['value', 'checked', 'disabled', 'hidden'].includes(name)) element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  add(element, children);
  return element;
}

function add(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === false || child === null || child === undefined || child === '') continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/** Replace what is in `parent`. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  add(parent, children);
  return parent;
}

/** An icon of the shared sprite; decoration only, the words beside it carry the meaning. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'cy-icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `/assets/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/**
 * Bring the children of `parent` to `rows` = [{key, mark, build}]: an element whose key and mark are as before stays
 * the same element (focus, scroll and a finger that is about to tap are not disturbed).
 */
export function reconcile(parent, rows) {
  for (const element of [...parent.childNodes]) if (!element.dataset?.row) element.remove(); // "loading" and the like
  const before = new Map([...parent.children].map((element) => [element.dataset.row, element]));
  let at = parent.firstElementChild;
  for (const {key, mark, build} of rows) {
    let element = before.get(String(key));
    before.delete(String(key));
    if (!element || element.dataset.mark !== mark) {
      const fresh = build();
      fresh.dataset.row = key;
      fresh.dataset.mark = mark;
      if (element) {
        if (element === at) at = fresh;
        element.replaceWith(fresh);
      }
      element = fresh;
    }
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
  for (const element of before.values()) element.remove();
}
