// The video player with boxes that are synchronous with the displayed frame.

import { Boxes } from "./boxes.js";
import { formatTime } from "./format.js";
import { polygonAt } from "./model.js";

export class Screen {
  constructor(root, model, { onTime, onSelect }) {
    this.root = root;
    this.model = model;
    this.onTime = onTime;
    this.video = root.querySelector("video");
    this.boxes = new Boxes(root.querySelector("svg"), { onSelect });
    this.time = 0;
    this.stream = null;
    this.target = null;
    for (const name of ["durationchange", "seeked", "progress"]) this.video.addEventListener(name, () => this.#continueSeek());
    this.video.addEventListener("loadedmetadata", () => {
      root.style.aspectRatio = `${this.video.videoWidth} / ${this.video.videoHeight}`;
    });
    this.video.addEventListener("error", () => (root.querySelector("#unplayable").hidden = false));
    for (const name of ["seeked", "timeupdate"]) this.video.addEventListener(name, () => this.#onTimeUpdate(this.video.currentTime));
    if (this.video.requestVideoFrameCallback) this.#watchFrames();
    this.#bindControls((id) => document.getElementById(id));
  }

  open(stream) {
    this.stream = stream;
    this.root.hidden = false;
    this.video.src = "video";
  }

  /** Show the frame at a media time. */
  seek(seconds) {
    this.target = seconds + 0.001; // rounding must not show the previous frame
    this.video.currentTime = this.target;
  }

  /** Seek further: browsers learn the duration of a video that does not start at 0 while they load it, and stop short. */
  #continueSeek() {
    if (this.target === null || !this.video.paused) return;
    if (this.target - this.video.currentTime > 0.02) {
      if (this.video.duration > this.video.currentTime + 0.001) this.video.currentTime = this.target;
    } else this.target = null;
  }

  toggle() {
    if (this.video.paused) this.video.play();
    else this.video.pause();
  }

  /** Connect the buttons below the video. */
  #bindControls(byId) {
    const { video } = this;
    const [play, sound, full] = ["play", "sound", "full"].map(byId);
    byId("transport").hidden = false;
    play.onclick = () => this.toggle();
    video.addEventListener("click", () => this.toggle());
    for (const name of ["play", "pause"]) {
      video.addEventListener(name, () => {
        play.ariaPressed = String(!video.paused);
        play.ariaLabel = video.paused ? "Play" : "Pause";
      });
    }
    video.addEventListener("durationchange", () => (byId("length").textContent = `/ ${formatTime(video.duration)}`));
    video.addEventListener("playing", () => (sound.hidden = !(video.webkitAudioDecodedByteCount || video.mozHasAudio)));
    sound.onclick = () => {
      video.muted = !video.muted;
      sound.ariaPressed = String(!video.muted);
    };
    full.hidden = !document.fullscreenEnabled;
    full.onclick = () => this.root.requestFullscreen();
  }

  draw() {
    const name = this.stream ?? this.model.streams.keys().next().value;
    const stream = this.model.streams.get(name);
    if (!stream?.size) return this.boxes.clear();
    const polygonOf = (span) => polygonAt(span, this.time);
    this.boxes.show(this.model.at(name, this.time), polygonOf, stream.size, (span) => this.time - span.start);
  }

  #watchFrames() {
    this.video.requestVideoFrameCallback((_now, frame) => {
      this.exact = true;
      this.#setTime(frame.mediaTime);
      this.#watchFrames();
    });
  }

  #onTimeUpdate(seconds) {
    if (!this.exact || Math.abs(seconds - this.time) > 0.5) this.#setTime(seconds);
  }

  #setTime(seconds) {
    this.time = seconds;
    document.getElementById("now").textContent = formatTime(seconds);
    this.draw();
    this.onTime(seconds);
  }
}
