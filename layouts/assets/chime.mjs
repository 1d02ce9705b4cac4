// The tone of an alarm, made here: no sound file.

/** Two soft strokes, higher for level I: heard in a room without being a shock. Silent while the browser allows no sound. */
export function strike(audio, level) {
  if (!audio || audio.state !== 'running') return;
  const base = level === 1 ? 880 : 660;
  for (const [n, pitch] of [base, base * 1.335].entries()) {
    const at = audio.currentTime + n * 0.22;
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    tone.type = 'sine';
    tone.frequency.value = pitch;
    gain.gain.setValueAtTime(0.0001, at);
    gain.gain.exponentialRampToValueAtTime(0.22, at + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, at + 0.55);
    tone.connect(gain).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.6);
  }
}
