// All that needs Automerge, in one file for the driver to load when the first such command comes.
import {automergeDocumentCommands} from './automerge_documents.mjs';
import {automergeRepoCommands} from './automerge_repos.mjs';
import {automergeStoreCommands} from './automerge_stores.mjs';

export const automergeCommands = {...automergeDocumentCommands, ...automergeRepoCommands, ...automergeStoreCommands};
