// Below the lines: the band between minimum and maximum, and what a smoothed line was before.

const BAND_ALPHA = 0.16;
const RAW_ALPHA = 0.28;
const STEPPED_BACK = 0.25;

/**
 * @param {object} plot uPlot's.
 * @param {import("./line.js").Drawing} drawing
 */
export function paintUnder(plot, drawing) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const toX = (value) => plot.valToPos(value, "x", true);
  const toY = (value) => plot.valToPos(value, "y", true);
  const [bottom] = drawing.y;
  drawing.lines.forEach((line, index) => {
    const back = (plot.series[index + 1]?.alpha ?? 1) < 1 ? STEPPED_BACK : 1;
    const colour = drawing.looks.get(line.key)?.colour ?? "gray";
    if (line.low) {
      ctx.fillStyle = colour;
      ctx.globalAlpha = BAND_ALPHA * back;
      fillBand(ctx, line, toX, toY, bottom);
    }
    if (line.raw) {
      ctx.strokeStyle = colour;
      ctx.globalAlpha = RAW_ALPHA * back;
      ctx.lineWidth = ratio;
      strokeLine(ctx, line.xs, line.raw, toX, toY);
    }
  });
  ctx.restore();
}

/** Forth along the maxima and back along the minima, a piece between any two gaps. */
function fillBand(ctx, { xs, low, high }, toX, toY, bottom) {
  let start = 0;
  for (let index = 0; index <= xs.length; index += 1) {
    if (index < xs.length && !Number.isNaN(high[index])) continue;
    if (index > start) {
      ctx.beginPath();
      for (let at = start; at < index; at += 1) ctx.lineTo(toX(xs[at]), toY(high[at]));
      // a minimum that a logarithmic scale cannot show lies below everything
      for (let at = index - 1; at >= start; at -= 1) {
        ctx.lineTo(toX(xs[at]), toY(Number.isNaN(low[at]) ? bottom : low[at]));
      }
      ctx.fill();
    }
    start = index + 1;
  }
}

function strokeLine(ctx, xs, ys, toX, toY) {
  let isOpen = false;
  ctx.beginPath();
  for (let index = 0; index < xs.length; index += 1) {
    if (Number.isNaN(ys[index])) {
      isOpen = false;
      continue;
    }
    const [x, y] = [toX(xs[index]), toY(ys[index])];
    if (isOpen) ctx.lineTo(x, y);
    else ctx.moveTo(x, y);
    isOpen = true;
  }
  ctx.stroke();
}
