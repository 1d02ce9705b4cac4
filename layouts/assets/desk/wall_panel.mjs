// 大屏 at the desk: what each screen of the wall shows now, and the buttons that drive it. What is seen here is what the wall
// shows: both ask director.mjs.

import {live} from '../live.mjs';
import {t} from '../text.mjs';
import {Ringing, showing} from '../wall/director.mjs';
import {command} from './commands.mjs';
import {NUMERALS, el, icon, memory, put, reconcile, rings, show} from './dom.mjs';
import {toast} from './shell.mjs';

const SCENES = ['overview', 'municipal', 'safety', 'environment', 'emergency', 'night'];
const SECONDS = [0, 15, 30, 60, 120];

const ringing = new Ringing();
const screens = () => [...live.items('screen').values()].sort((a, b) => Number(a.key) - Number(b.key));
const id = (screen) => Number(screen.key);

/** What a screen shows, in words. */
function words(now, screen) {
  const scene = t(`scene.${now.scene}`);
  const incident = now.incident === null ? null : live.get('incident', now.incident);
  const what = incident ? `${scene} · ${incident.title}` : now.camera ? `${scene} · ${now.camera}` : now.center ? `${scene} · ${t('screens.view')}` : scene;
  if (now.why === 'taken') return t('wall.why.taken', {level: NUMERALS[now.taken.level], title: now.taken.title});
  const why = {sent: () => t('wall.why.sent', {name: screen.sent_by}), pinned: () => t('wall.why.pinned'), rotation: () => t('wall.why.rotation', {n: screen.seconds}), scene: () => ''}[now.why]();
  return [what, why].filter(Boolean).join(' · ');
}

function make(map) {
  return (screen) => {
    const key = id(screen);
    const press = (name, body) => () => command(name, {screen: key, ...body()});
    const seconds = el('select.cy-select', {title: t('screens.rotation'), onchange: ({target}) => command('set_rotation', {screen: key, scenes: Number(target.value) ? SCENES : [], seconds: Number(target.value) || 30})},
      SECONDS.map((n) => el('option', {value: n}, n ? t('wall.why.rotation', {n}) : t('screens.no_rotation'))));
    return el('section.screen', {},
      el('div.screen__head', {}, el('strong'), el('span.cy-num.cy-dim.screen__size')),
      el('div.screen__now', {role: 'status'}),
      el('div.cy-segment.screen__scenes', {role: 'group'}, SCENES.map((scene) => el('button', {type: 'button', dataset: {scene}, onclick: press('send_to_screen', () => ({scene}))}, t(`scene.${scene}`)))),
      el('div.screen__row', {},
        el('button.cy-button.cy-button--small', {type: 'button', dataset: {sendView: ''}, onclick: press('send_to_screen', () => viewOf(map))}, icon('map'), t('screens.send_view')),
        el('button.cy-button.cy-button--small', {type: 'button', dataset: {back: ''}, onclick: press('send_to_screen', () => ({back: true}))}, icon('undo-2'), t('screens.back'))),
      el('div.screen__row', {}, seconds,
        el('button.cy-button.cy-button--small', {type: 'button', dataset: {pin: ''}, onclick: press('pin_scene', () => ({pinned: !live.get('screen', key)?.pinned}))}, t('screens.pin')),
        el('button.cy-button.cy-button--small', {type: 'button', dataset: {mute: ''}, onclick: press('mute_screen', () => ({muted: !live.get('screen', key)?.muted}))}, t('screens.mute'))));
  };
}

/** The map's view and layers as a command takes them. */
function viewOf(map) {
  const {center: [lon, lat], zoom} = map.view();
  return {lon, lat, zoom, width_px: Math.round(map.map.getContainer().clientWidth), layers: map.layers().filter((layer) => layer.visible).map((layer) => layer.id)};
}

function update(box, screen) {
  const now = showing(screen, ringing.update([...live.items('incident').values()].filter(rings), live.now()), live.now());
  put(box.querySelector('strong'), screen.name);
  put(box.querySelector('.screen__size'), screen.size.replace('x', ' × '));
  put(box.querySelector('.screen__now'), words(now, screen));
  for (const button of box.querySelectorAll('[data-scene]')) button.setAttribute('aria-pressed', String(button.dataset.scene === now.scene));
  show(box.querySelector('[data-back]'), screen.sent_ms > 0);
  box.querySelector('[data-pin]').setAttribute('aria-pressed', String(screen.pinned));
  box.querySelector('[data-mute]').setAttribute('aria-pressed', String(screen.muted));
  const select = box.querySelector('select');
  if (document.activeElement !== select) select.value = String(SECONDS.includes(screen.seconds) ? screen.seconds : 0);
}

/** Send an incident: to the one screen there is, else the panel asks to which. */
function choose(panel, incident) {
  const all = screens();
  const send = async (screen) => {
    if (await command('send_to_screen', {screen: id(screen), incident})) toast(t('screens.incident_sent', {name: screen.name}));
  };
  if (all.length === 1) return send(all[0]);
  panel.open = true;
  const host = panel.querySelector('.screens__choose');
  host.replaceChildren(el('span', {}, t('screens.choose')), ...all.map((screen) => el('button.cy-button.cy-button--small.cy-button--primary', {type: 'button', dataset: {chosen: screen.key}, onclick: () => { host.replaceChildren(); send(screen); }}, screen.name)));
}

/** Add the panel to the tools over the map; nothing is shown while no screen is paired. */
export function startWallPanel(tools, map) {
  const list = el('div.screens__all');
  const panel = el('details.tool.cy-panel.cy-panel--float', {hidden: true, open: memory.read('wall_panel') === true, dataset: {wallPanel: ''}},
    el('summary', {}, icon('monitor'), t('screens.panel')), el('div.tool__body', {}, el('div.screens__choose'), list));
  panel.addEventListener('toggle', () => memory.write('wall_panel', panel.open));
  tools.append(panel);
  const draw = () => {
    const all = screens();
    show(panel, all.length > 0);
    ringing.update([...live.items('incident').values()].filter(rings), live.now()); // open or not: it counts since when
    for (const button of document.querySelectorAll('[data-to-wall]')) show(button, all.length > 0);
    if (panel.open) reconcile(list, all, (screen) => screen.key, make(map), update);
  };
  live.addEventListener('applied', ({detail}) => { if (detail.replaced || detail.changed.some(([kind]) => kind === 'screen' || kind === 'incident')) draw(); });
  panel.addEventListener('toggle', draw);
  setInterval(draw, 1000); // rotation turns without a message
  document.addEventListener('click', ({target}) => {
    const button = target.closest('[data-to-wall]');
    if (button) choose(panel, Number(button.dataset.toWall));
  });
  draw();
}
