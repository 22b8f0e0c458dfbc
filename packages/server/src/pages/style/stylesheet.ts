import { type Palette, paletteOf } from './palette.ts'

/**
 * The one stylesheet, around one colour. A page carries it whole, so that it needs nothing from anywhere.
 * @param accent `#rrggbb`
 */
export function stylesheet(accent: string): string {
  const { light, dark } = paletteOf(accent)
  return `:root{color-scheme:light dark;${variables(light)}}
@media (prefers-color-scheme:dark){:root{${variables(dark)}}}${rules}`
}

function variables(palette: Palette): string {
  return Object.entries(palette)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(';')
}

const rules = `
*,::before,::after{box-sizing:border-box}
html{font:100%/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%;background:var(--page);color:var(--text)}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;grid-template-columns:minmax(0,26rem);justify-content:center;align-content:center;padding:2rem 1rem}
main{background:var(--card);border:1px solid var(--line);border-radius:1rem;padding:2.25rem;box-shadow:0 1px 2px #0000000a,0 8px 32px #0000000d;overflow-wrap:anywhere}
h1,h2,p,ul,dl,dd,form{margin:0;padding:0}
h1{font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.015em;text-wrap:balance}
h1+p{margin-top:.375rem}
h2{font-size:.9375rem;font-weight:600}
p{color:var(--muted);text-wrap:pretty}
b{font-weight:600;color:var(--text)}
a{color:var(--accent);text-underline-offset:.2em}
.brand{display:flex;align-items:center;gap:.625rem;margin-bottom:1.75rem;font-size:.9375rem;font-weight:600;color:var(--text)}
.brand img{max-height:2rem;max-width:10rem}
.mark{display:grid;place-items:center;width:2rem;height:2rem;border-radius:.5rem;background:var(--accent);color:var(--onAccent);font-weight:700}
.stack{display:grid;grid-template-columns:minmax(0,1fr);gap:1.125rem;margin-top:1.5rem}
.field{display:grid;gap:.375rem}
label{font-size:.875rem;font-weight:550}
input{font:inherit;color:inherit;background:var(--card);width:100%;min-height:2.75rem;padding:.5rem .75rem;border:1px solid var(--edge);border-radius:.5rem}
input[aria-invalid]{border-color:var(--danger)}
.code{font:600 1.5rem/1.2 ui-monospace,SFMono-Regular,Menlo,Consolas,"Noto Sans Mono",monospace;letter-spacing:.12em;text-align:center;text-transform:uppercase}
p.code{color:var(--text);background:var(--inset);border:1px solid var(--line);border-radius:.75rem;padding:1rem .5rem;margin-top:.5rem}
button,.button{font:inherit;font-weight:600;cursor:pointer;display:block;width:100%;min-height:2.75rem;padding:.5625rem 1rem;text-align:center;border:1px solid var(--edge);border-radius:.5rem;background:var(--card);color:var(--text);text-decoration:none;transition:background-color .12s}
button:hover,.button:hover{background:var(--inset)}
button.primary,.button.primary{background:var(--accent);border-color:var(--accent);color:var(--onAccent)}
button.primary:hover,.button.primary:hover{background:color-mix(in srgb,var(--accent),var(--text) 14%)}
button.link{width:auto;min-height:1.5rem;padding:0;border:0;background:none;color:var(--accent);font-size:.875rem;text-decoration:underline;text-underline-offset:.2em}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
input:focus-visible{outline-offset:-1px;border-color:var(--accent)}
.alert{display:flex;gap:.625rem;margin-top:1.25rem;padding:.75rem .875rem;border:1px solid;border-radius:.5rem;background:var(--dangerBack);color:var(--danger);font-size:.9375rem}
.alert::before{content:"!";flex:none;display:grid;place-items:center;width:1.25rem;height:1.25rem;margin-top:.125rem;border-radius:50%;background:var(--danger);color:var(--dangerBack);font-size:.8125rem;font-weight:700}
.or{display:flex;align-items:center;gap:.75rem;font-size:.875rem}
.or::before,.or::after{content:"";flex:1;border-top:1px solid var(--line)}
.person{display:flex;align-items:center;gap:.75rem;text-align:start}
.person>span:not(.initial){display:grid;min-width:0;flex:1;line-height:1.35}
.person small{font-size:.875rem;font-weight:400;color:var(--muted)}
.initial{flex:none;display:grid;place-items:center;width:2.25rem;height:2.25rem;border-radius:50%;background:var(--inset);border:1px solid var(--line);font-weight:600;color:var(--muted)}
.panel{padding:.75rem .875rem;border:1px solid var(--line);border-radius:.75rem;background:var(--inset)}
.panel .initial{background:var(--card)}
button.person{display:flex;border-color:var(--line);border-radius:.75rem;padding:.75rem .875rem}
.asks{display:grid;gap:.75rem;margin-top:.75rem;list-style:none}
.asks li{position:relative;padding-inline-start:1.75rem}
.asks li::before{content:"";position:absolute;inset-inline-start:.3rem;top:.25em;width:.375rem;height:.6875rem;border:solid var(--accent);border-width:0 2px 2px 0;transform:rotate(45deg)}
.details{display:grid;gap:.75rem;margin-top:.75rem;list-style:none}
dl{display:grid;grid-template-columns:minmax(0,2fr) minmax(0,3fr);gap:.25rem .75rem;margin-top:.375rem;font-size:.875rem}
dt{color:var(--muted)}
dl dl{margin-top:0}
.actions{display:grid;grid-template-columns:1fr 1fr;gap:.75rem}
.small{font-size:.875rem}
.done{display:grid;place-items:center;width:3rem;height:3rem;margin-bottom:1.25rem;border-radius:50%;background:var(--inset);border:1px solid var(--line)}
.done::before{content:"";width:.625rem;height:1.125rem;margin-top:-.25rem;border:solid var(--accent);border-width:0 2.5px 2.5px 0;transform:rotate(45deg)}
details{margin-top:1.5rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.875rem}
summary{cursor:pointer;color:var(--muted);width:fit-content}
code{font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Noto Sans Mono",monospace;color:var(--text)}
details p{margin-top:.5rem}
@media (max-width:30rem){body{padding:0;align-content:stretch;background:var(--card)}main{border:0;border-radius:0;box-shadow:none;padding:1.75rem 1.25rem 2rem}input{font-size:1rem}}
@media (forced-colors:active){main,button,.button,.mark{border:1px solid}.asks li::before,.done::before{border-color:CanvasText}}
@media (prefers-reduced-motion:reduce){*{transition:none}}
`
