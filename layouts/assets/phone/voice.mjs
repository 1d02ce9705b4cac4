// 语音输入 where the browser offers speech recognition; elsewhere there is no button. Recognition on the phone itself is
// preferred; where the browser only knows its maker's servers, a closed network makes it fail, and the words say so.

import {lang, t} from '../text.mjs';
import {h, icon} from './dom.mjs';

const Recognition = globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition;
const LANGUAGE = {zh: 'zh-CN', en: 'en-GB'};

/** A button that writes what is said by `onText(words)`, or null. `onWrong(words)` is told why nothing was understood. */
export function voiceButton(page, onText, onWrong) {
  if (!Recognition) return null;
  let running = null;
  const label = h('span', {}, t('phone.voice'));
  const button = h('button', {class: 'ph-chip ph-voice', type: 'button', 'aria-pressed': 'false', onclick: () => (running ? running.stop() : listen())}, icon('radio'), label);
  const say = (on) => {
    button.setAttribute('aria-pressed', String(on));
    label.textContent = t(on ? 'phone.voice.listening' : 'phone.voice');
  };
  const listen = () => {
    running = new Recognition();
    running.lang = LANGUAGE[lang] ?? lang;
    running.interimResults = false;
    if ('processLocally' in running) {
      Recognition.available?.({langs: [running.lang], processLocally: true}).then((found) => {
        if (running && found === 'available') running.processLocally = true;
      }, () => {}).finally(() => running?.start());
    } else running.start();
    running.onresult = ({results}) => onText([...results].map((one) => one[0].transcript).join(''));
    running.onerror = ({error}) => {
      if (error !== 'aborted') onWrong(t(`phone.voice.${['not-allowed', 'no-speech'].includes(error) ? error : 'network'}`));
    };
    running.onend = () => {
      running = null;
      say(false);
    };
    say(true);
  };
  page.onClose(() => running?.abort());
  return button;
}
