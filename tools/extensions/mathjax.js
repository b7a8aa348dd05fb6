// Sets formulas by MathJax, for maths.py: each line of the input is a request as JSON, each
// line of the output its answer. Arguments: MathJax's folder, its TeX macros as JSON.
const [folder, macros] = process.argv.slice(2);

const mathjax = require(`${folder}/node-main.js`).init({
  loader: {
    load: ["adaptors/liteDOM", "input/tex", "[tex]/html", "output/chtml", "a11y/assistive-mml"],
    paths: {mathjax: folder}, require, versionWarnings: false,
  },
  tex: {
    formatError: (_, error) => { throw error; },
    macros: JSON.parse(macros),
    // A command that is not known is an error, too.
    packages: {"[+]": ["html"], "[-]": ["noundefined"]},
  },
  chtml: {adaptiveCSS: false, fontURL: "mathjax"},
});

async function answer({tex, display}) {
  const MathJax = await mathjax, {adaptor} = MathJax.startup;
  try {
    return tex === undefined ? {css: adaptor.textContent(MathJax.chtmlStylesheet())}
      : {html: adaptor.outerHTML(await MathJax.tex2chtmlPromise(tex, {display}))};
  } catch (error) {
    return {error: error.message};
  }
}

(async () => {
  for await (const line of require("readline").createInterface({input: process.stdin}))
    console.log(JSON.stringify(await answer(JSON.parse(line))));
})();
