// Tabs with a side sheet, for the pages of operations and administration: what is asked stands in the address bar.

import {ready, show, tell} from './dom.mjs';

/** The data of the grid row that was clicked, or null (a button inside of it is its own business). */
export function rowOf(target, grid) {
  const row = target.closest(`#${grid} .ag-row`);
  if (!row || target.closest('button, a')) return null;
  return window.dash_ag_grid.getApi(grid)?.getRowNode(row.getAttribute('row-id'))?.data ?? null;
}

/** Run the tabs of a page: `ask` is the store that Python listens to. Returns what else a page needs. */
export async function startTabs(ask, first) {
  await ready(ask.replace(/-ask$/, '-body'));
  const tabs = [...document.querySelectorAll('[data-tab]')];
  const side = document.querySelector('[data-side]');
  let asked = null;

  const open = (question) => {
    asked = question;
    history.replaceState(null, '', `#${question.tab}`);
    for (const tab of tabs) {
      const on = tab.dataset.tab === question.tab;
      tab.classList.toggle('is-on', on);
      tab.setAttribute('aria-selected', String(on));
    }
    tell(ask, question);
  };
  document.addEventListener('click', ({target}) => {
    const hit = target.closest('[data-tab],[data-ask],[data-refresh],[data-side-close]');
    if (!hit) return;
    if (hit.dataset.tab) { show(side, false); open({tab: hit.dataset.tab}); }
    else if (hit.dataset.ask) open(JSON.parse(hit.dataset.ask));
    else if ('refresh' in hit.dataset) open(asked);
    else show(side, false);
  });
  document.addEventListener('keydown', (event) => {
    // A form is left only by its own button: Esc there means a drop-down, and must not lose what was typed.
    if (event.key === 'Escape' && !side.querySelector('[data-form]')) show(side, false);
    if (event.key === 'Enter' && event.target.matches('tr[role="button"]')) event.target.click();
  });
  const wanted = location.hash.slice(1);
  open({tab: tabs.some((tab) => tab.dataset.tab === wanted) ? wanted : tabs[0]?.dataset.tab ?? first});
  window.addEventListener('hashchange', () => { const tab = location.hash.slice(1); if (tab !== asked.tab) open({tab}); });
  return {side, ask: open};
}
