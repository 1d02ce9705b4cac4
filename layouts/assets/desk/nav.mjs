// The navigation where there are more pages than room: what does not fit is behind 更多, never the page that is open.

import {t} from '../text.mjs';
import {el} from './dom.mjs';

export function startNav(nav = document.querySelector('.nav')) {
  if (!nav) return;
  const links = [...nav.querySelectorAll('.nav__link')];
  const menu = el('div.nav__menu');
  const more = el('details.nav__more', {hidden: true}, el('summary.nav__link', {}, t('ui.more')), menu);
  nav.append(more);
  const fit = () => {
    more.hidden = true;
    for (const link of links) more.before(link);
    for (const link of links.toReversed()) {
      if (nav.scrollWidth <= nav.clientWidth) break;
      if (link.ariaCurrent === 'page') continue;
      more.hidden = false;
      menu.prepend(link);
    }
  };
  const close = () => { more.open = false; };
  document.addEventListener('click', ({target}) => { if (!more.contains(target)) close(); });
  nav.addEventListener('keydown', ({key}) => {
    if (key !== 'Escape' || !more.open) return;
    close();
    more.querySelector('summary').focus();
  });
  document.fonts.ready.then(fit); // words are as wide as their font
  new ResizeObserver(fit).observe(nav.parentElement);
}
