// Commands on pages in Chromium, which the machine has to have: playwright-core brings none.
import {chromium} from 'playwright-core';

// Nothing of the browser's own may look for the network: tests have loopback.
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let browser = null;
const pages = new Map(); // name -> {page, errors}

const get = (name) => {
  if (!pages.has(name)) throw new Error(`no page named ${name}`);
  return pages.get(name).page;
};

const first = (name, selector, text) => get(name).locator(selector, text === undefined ? {} : {hasText: text}).first();

export const browserCommands = {
  // What is asked of other hosts than this one is refused.
  // A page has storage of its own, or shares it with the one it is opened beside.
  'page.open': async ({name, url, chromium: executablePath, beside}) => {
    browser ??= await chromium.launch({executablePath, args: FLAGS});
    const page = await (beside ? get(beside).context() : await browser.newContext()).newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.route(({hostname}) => hostname !== '127.0.0.1', (route) => route.abort());
    pages.set(name, {page, errors});
    await page.goto(url);
  },
  'page.reload': async ({name}) => void (await get(name).reload()),
  // Wait until something on the page has a text in it, or is not there any more.
  'page.wait': ({name, selector, text, gone = false, timeout}) =>
    first(name, selector, text).waitFor({state: gone ? 'detached' : 'attached', timeout}),
  'page.text': ({name, selector}) => first(name, selector).innerText(),
  'page.texts': ({name, selector}) => get(name).locator(selector).allInnerTexts(),
  'page.click': ({name, selector, text, twice = false}) => first(name, selector, text).click({clickCount: twice ? 2 : 1}),
  'page.fill': ({name, selector, text}) => first(name, selector).fill(text),
  'page.press': ({name, key}) => get(name).keyboard.press(key),
  'page.type': ({name, text}) => get(name).keyboard.type(text),
  // Call a JavaScript function in the page, and wait for what it promises.
  'page.evaluate': ({name, source, arg}) => get(name).evaluate(({source, arg}) => (0, eval)(source)(arg), {source, arg}),
  'page.screenshot': ({name, path}) => get(name).screenshot({path}),
  'page.errors': ({name}) => pages.get(name).errors,
  'page.close': async ({name}) => {
    await get(name).close();
    pages.delete(name);
  },
  'page.closeAll': async () => {
    await browser?.close();
    browser = null;
    pages.clear();
  },
};
