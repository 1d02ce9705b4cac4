// Keys that press the buttons of the incident on show: a button says its key in data-key (layouts/desk/keys.py).

const DISPATCH = '#desk-dispatch [data-act*=\'"dispatch"\']'; // the first of the panel is the best
const COMPARE = '#desk-facts [data-act*=\'"compare"\']';

/** The button of a key, when it is there and may be pressed now. */
function buttonOf(key) {
  const found = document.querySelector(`#desk-actions [data-key="${CSS.escape(key)}"], #desk-facts [data-key="${CSS.escape(key)}"]`)
    ?? (key === 'd' ? document.querySelector(DISPATCH) : key === 'c' ? document.querySelector(COMPARE) : null);
  return found && !found.disabled && !found.closest('[hidden], .is-busy, .is-loading') ? found : null;
}

/** `list`: for marks. Returns a handler of keys that nobody is typing; true when it has done something. */
export function startKeys(list) {
  const help = document.getElementById('desk-keys');
  document.addEventListener('click', ({target}) => {
    if (target.closest('[data-keys]')) help.showModal();
    else if (target.closest('[data-keys-close]')) help.close();
  });
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return false;
    if (event.key === '?') help.showModal();
    else if (event.key === 'x') list.toggleMark();
    else if (event.key === 'X') list.unmarkAll();
    else {
      const button = buttonOf(event.key);
      if (!button) return false;
      button.click();
    }
    return true;
  };
}
