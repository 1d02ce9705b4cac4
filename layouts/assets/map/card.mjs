// The card shown when the pointer rests on a thing of the map. Built from DOM nodes: text can never become markup.

import {ago, cityTime, has, lang, span, t} from '../text.mjs';

const NUMERALS = ['', 'Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ'];

function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ''));
  return node;
}

const sub = (...parts) => {
  const text = parts.filter(Boolean).join(' · ');
  return text ? el('div', 'cy-map__card-sub', text) : null;
};

function due(at, now) {
  if (!at) return '';
  const left = (at - now) / 1000;
  return t(left < 0 ? 'due.over' : 'due.left', {span: span(Math.abs(left))});
}

/** A value with its name and unit, which are data of the city: `metrics` is id → {name, name_en, unit}. */
function reading([metric, value], metrics) {
  const known = metrics?.get(metric);
  const name = (lang === 'en' && known?.name_en) || known?.name || metric;
  return `${name} ${typeof value === 'number' ? +value.toFixed(2) : value}${known?.unit ? ` ${known.unit}` : ''}`;
}

/**
 * The card of one thing: `item` is its live item when there is one, `properties` what the map knows of it, `metrics`
 * what the city calls a device's values.
 */
export function card(kind, item, properties, now, metrics) {
  const title = (...nodes) => el('div', 'cy-map__card-title', ...nodes);
  const box = el('div', 'cy-map__card');
  if (kind === 'cluster') {
    const worst = properties.worst;
    box.append(title(el('span', `cy-level cy-level--${worst}`, NUMERALS[worst]),
      t('map.cluster', {n: properties.point_count, level: t(`level.${worst}`)})));
    return box;
  }
  if (kind === 'incident' && item) {
    box.append(title(el('span', `cy-level cy-level--${item.level}`, NUMERALS[item.level]), el('span', '', item.title || item.class_name)));
    const rows = [
      sub(item.number, item.class_name, t(`stage.${item.stage}`)),
      sub(item.unit_name || '', item.worker_name || ''),
      sub(`${cityTime(item.reported_at).short}`, due(item.stage_due_at ?? item.handle_due_at, now)),
    ];
    box.append(...rows.filter(Boolean));
    return box;
  }
  if (kind === 'device') {
    const status = item?.status ?? '';
    box.append(title(properties.name || properties.key));
    const values = Object.entries(item?.values ?? {}).slice(0, 4).map((entry) => reading(entry, metrics));
    const rows = [
      sub((lang === 'en' && properties.type_name_en) || properties.type_name || '', status ? t(`status.${status}`) : ''),
      ...values.map((value) => el('div', 'cy-num', value)),
      sub(item?.t ? ago((now - item.t) / 1000) : ''),
    ];
    box.append(...rows.filter(Boolean));
    return box;
  }
  if (kind === 'worker' && item) {
    box.append(title(item.name || item.key));
    const line = sub(item.unit_name || item.unit || '', t('map.last_seen', {age: ago((now - item.t) / 1000)}));
    if (line) box.append(line);
    return box;
  }
  box.append(title(properties.name || properties.key || ''));
  const line = sub(has(`word.${kind}`) ? t(`word.${kind}`) : '', properties.subclass || '');
  if (line) box.append(line);
  return box;
}
