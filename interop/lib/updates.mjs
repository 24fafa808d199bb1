// The oracle of tests/differential/updates: histories made, and answers about them judged, many in one message.
import * as Y from 'yjs';
import {CUTS} from './update_cuts.mjs';
import {docOf, givenHistory, makeHistory, wrongInYjs} from './update_history.mjs';
import {judge, yjsAnswers} from './update_judge.mjs';
import {readVector} from './update_reading.mjs';

const asked = new Map();

const made = (wanted) => (wanted.updates === undefined ? makeHistory(wanted) : givenHistory(wanted));

const cutHistory = (base, at, cut, again) => {
  const updates = [];
  const docs = [7, 2 ** 31, 3].map((clientID) => docOf([], {clientID, gc: again % 2 === 0}));
  for (const doc of docs) doc.on('update', (update, _origin, _doc, {local}) => local && updates.push(update));
  const share = () => docs.forEach((doc) => updates.forEach((update) => Y.applyUpdate(doc, update, 'net')));
  docs[0].getText('t').insert(0, base);
  share();
  CUTS[cut](docs[1].getText('t'), at);
  // Meanwhile somebody who has not seen the cut makes another.
  docs[2].getText('t').insert(again, 'y');
  docs[2].getText('t').delete(Math.max(again - 1, 0), 1);
  share();
  docs[0].getText('t').insert(docs[0].getText('t').length, 'end');
  return updates;
};

export const updateCommands = {
  // Make histories and give what is asked about each: {seed, keep?} at random, {seed, updates} of given ones.
  'update.make': ({histories}) =>
    histories.map((wanted) => {
      const history = made(wanted);
      asked.set(wanted.seed, history);
      return {seed: wanted.seed, actions: history.actions, ...history.questions};
    }),

  // Judge the answers: for each history what is wrong. Each is judged once.
  'update.judge': ({answers}) =>
    answers.map(({seed, ...answer}) => {
      const history = asked.get(seed);
      asked.delete(seed);
      return judge(history, answer);
    }),

  // What Yjs itself gets wrong, so that whatever is found of others is theirs.
  'update.yjs': ({histories}) =>
    histories.map((wanted) => {
      const history = made(wanted);
      return [...wrongInYjs(history), ...judge(history, yjsAnswers(history))];
    }),

  // The updates of texts that are cut, by name: at each index, in each way, beside another cut at each index.
  'update.cuts': ({base}) => {
    const found = {};
    for (const cut of Object.keys(CUTS)) {
      for (let at = 1; at < base.length; at++) {
        for (let again = 0; again <= base.length; again++) {
          found[`${cut} at ${at} beside ${again}`] = cutHistory(base, at, cut, again);
        }
      }
    }
    return found;
  },

  // The same content in other words, as peers send it again: as documents encode it, joined, and as it came.
  'update.resent': ({lists}) =>
    lists.map((updates) => [
      Y.encodeStateAsUpdate(docOf(updates, {gc: true})),
      Y.encodeStateAsUpdate(docOf(updates, {gc: false})),
      Y.mergeUpdates(updates),
      Y.convertUpdateFormatV2ToV1(Y.encodeStateAsUpdateV2(docOf(updates, {gc: true}))),
    ]),

  // What a new document makes of each list of updates: its clocks and whether something waits, or the error.
  'update.load': ({lists}) =>
    lists.map((updates) => {
      const {error, warn} = console;
      console.error = console.warn = () => {};
      try {
        const doc = docOf(updates);
        return {state: readVector(Y.decodeStateVector(Y.encodeStateVector(doc))), waits: doc.store.pendingStructs !== null};
      } catch (failure) {
        return {error: String(failure?.stack ?? failure)};
      } finally {
        console.error = error;
        console.warn = warn;
      }
    }),
};
