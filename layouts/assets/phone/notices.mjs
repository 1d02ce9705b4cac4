// Notices of new tasks while the page is not looked at. They come from the live link of this page by its service worker: a
// closed network has no push service, so a page that is closed for good hears nothing, and the screen says so.

import {t} from '../text.mjs';

/** "absent" | "default" | "granted" | "denied" */
export const noticeState = () =>
  'Notification' in window && 'serviceWorker' in navigator && window.isSecureContext ? Notification.permission : 'absent';

/** Ask the person; answers the state after it. */
export async function askForNotices() {
  await Notification.requestPermission();
  return noticeState();
}

/** Tell of tasks by the system, if it may; a notice of the same task replaces the one before. */
export async function noticeOf(tasks) {
  if (noticeState() !== 'granted' || !document.hidden) return;
  const {active, showNotification} = await navigator.serviceWorker.ready.then((r) => ({active: r.active, showNotification: r.showNotification.bind(r)}));
  if (!active) return;
  for (const task of tasks) {
    await showNotification(t('phone.arrived', {title: task.title}), {
      body: [t(`level.${task.level}`), task.address].filter(Boolean).join(' · '),
      tag: `task-${task.id}`, icon: '/assets/phone/icon.svg', data: {hash: `#/task/${task.id}`}, requireInteraction: task.level <= 2,
    });
  }
}
