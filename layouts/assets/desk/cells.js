// Cell renderers of the incident list, as AG Grid wants them: plain script, before the grid is made.
// Words come from the catalogue that desk.mjs puts into window.chengyun.words before the first row exists.
(() => {
  const parts = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  const h = (...args) => window.React.createElement(...args);
  const word = (key) => window.chengyun?.words?.[key] ?? key.split('.').pop();
  const NUMERALS = ['–', 'Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ'];
  const ORDER = ['reported', 'accepted', 'dispatched', 'taken', 'on_site', 'handled', 'returned_result', 'checked', 'closed', 'refused', 'void'];
  const FINAL = ['closed', 'refused', 'void'];
  const due = (d) => (!d || FINAL.includes(d.stage) ? null : d.stage_due_at ?? null); // as overdue.mjs, which a plain script cannot import

  functions.cyDue = (params) => due(params.data) ?? Number.MAX_SAFE_INTEGER; // what has no limit is last
  functions.cyStageRank = (params) => (params.data ? ORDER.indexOf(params.data.stage) : -1);
  functions.cyFilterPresent = () => true;
  functions.cyFilterPass = (params) => window.chengyun?.listPass?.(params.data) ?? true;

  const place = (d) => d.address || (d.area ? '' : word('word.unresolved_place'));

  // A listener of its own: the grid, which chooses the row that is clicked, is not to hear of it.
  const marks = (element) => element?.addEventListener('click', (event) => { event.stopPropagation(); window.chengyun?.marks?.toggle(element.dataset.key); });
  parts.CyMark = ({data}) => h('span', {className: 'mark', role: 'checkbox', 'aria-checked': String(Boolean(window.chengyun?.marks?.has(data.key))), 'aria-label': word('desk.batch.mark'), 'data-key': data.key, ref: marks});
  parts.CyLevel = ({data}) => h('span', {className: `cy-level cy-level--${data.level}`, title: word(`level.${data.level}`)}, NUMERALS[data.level]);
  parts.CyTitle = ({data}) => h('div', {className: 'two-lines'},
    h('div', {className: 'two-lines__a cy-clip', title: data.title}, data.sources > 1 ? h('span', {className: 'cy-count', title: word('word.sources')}, data.sources) : null, data.said_again_at ? h('span', {className: 'cy-chip cy-chip--level-2'}, word('desk.said_again.short')) : null, data.title),
    h('div', {className: 'two-lines__b cy-clip'},
      h('span', {className: 'cy-num'}, data.number), data.class_name ? ` · ${data.class_name}` : '', place(data) ? ` · ${place(data)}` : ''));
  parts.CyStage = ({data}) => h('div', {className: 'two-lines'},
    h('div', {className: 'two-lines__a'}, h('span', {className: `cy-stage cy-stage--${data.stage}`}, word(`stage.${data.stage}`))),
    h('div', {className: 'two-lines__b cy-clip', title: data.unit_name || ''}, data.worker_name || data.unit_name || '–'));
  parts.CyDue = ({data}) => {
    const at = due(data);
    return h('div', {className: 'two-lines'},
      h('div', {className: 'two-lines__a'}, at === null
        ? h('span', {className: 'cy-dim'}, FINAL.includes(data.stage) ? word(`stage.${data.stage}`) : '–')
        : h('span', {className: 'due', 'data-due': at, ref: touch})),
      h('div', {className: 'two-lines__b'}, h('span', {className: 'age', 'data-as-of': data.reported_at, ref: touch})));
  };
  parts.CyAge = ({data}) => h('span', {className: 'age', 'data-as-of': data.reported_at, ref: touch});
  parts.CySources = ({data}) => h('span', {className: data.sources > 1 ? 'cy-count' : 'cy-dim cy-num', title: word('word.sources')}, data.sources);
  parts.CyText = ({value}) => h('span', {className: 'cy-clip', title: value}, value || '–');

  parts.CyNumber = ({value}) => (value === null || value === undefined ? '' : Number(value).toLocaleString('en-US'));
  // What a ledger row opens, [[question, word, n]]: its dead letters by reason, its quarantined messages.
  parts.CyReasons = ({value}) => h('span', {}, (value ?? []).map(([ask, text, n]) => h('button', {
    key: ask, type: 'button', className: 'cy-chip is-button', 'data-ask': ask,
  }, text, h('span', {className: 'cy-num'}, n))));
  parts.CyPair = ({value}) => h('div', {className: 'two-lines'},
    h('div', {className: 'two-lines__a cy-clip', title: value?.[0]}, value?.[0]), h('div', {className: 'two-lines__b cy-clip', title: value?.[1]}, value?.[1]));
  parts.CyLamp = ({value}) => h('span', {className: value?.[1] ? `lamp lamp--${value[1]}` : 'cy-dim'}, value?.[0]);
  parts.CyCode = ({value}) => h('code', {className: 'cy-clip', title: value}, value);

  function touch(element) {
    if (element) window.chengyun?.age?.touch(element);
  }
})();
