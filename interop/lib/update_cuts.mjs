// How a text with emoji is cut at one index, in each way in which it can be.
export const CUTS = {
  insert: (text, at) => text.insert(at, 'x'),
  pair: (text, at) => text.insert(at, '😀'),
  embed: (text, at) => text.insertEmbed(at, {image: 1}),
  before: (text, at) => text.delete(at - 1, 1),
  after: (text, at) => text.delete(at, 1),
  both: (text, at) => text.delete(at - 1, 2),
  rest: (text, at) => text.delete(at, text.length - at),
  format: (text, at) => text.format(at, text.length - at, {bold: true}),
  half: (text, at) => text.doc.transact(() => (text.delete(at, 1), text.insert(at, '\udfe2'))),
};
