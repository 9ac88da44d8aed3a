import { randomInt } from 'node:crypto';
import { Problem } from '../store/problem.ts';

const ADJECTIVES = (
  'able agile amber ample apt azure bold brave brief bright brisk calm candid clear clever cosmic cozy crisp deft eager ' +
  'early easy fair fast fine firm fond frank free fresh gentle glad golden grand green handy happy hardy humble ideal ' +
  'jolly just keen kind large lively loyal lucid lucky mellow merry mighty mild modern modest neat nimble noble open ' +
  'patient plain polite prime proud pure quick quiet rapid rare ready rich robust rosy round royal safe sharp shiny ' +
  'silver simple sleek smart smooth snug sober solid sound spry steady stout strong sunny sure swift tall tidy tough ' +
  'true trusty upbeat valid vivid warm wise witty young zesty'
).split(' ');
const ANIMALS = (
  'adder alpaca ant ape auk badger bat bear beaver bee beetle bison boar buck bull camel carp cat cobra cod colt condor ' +
  'cougar cow crab crane crow cub deer dingo dog dove drake duck eagle eel egret elk emu falcon fawn ferret finch fish ' +
  'flea fly foal fowl fox frog gator gecko goat goose grouse gull hare hawk hen heron hippo horse hound ibex iguana ' +
  'impala jackal jay kiwi koala koi lamb lark lemur lion llama lynx macaw mako mantis marlin marmot mink mole moose moth ' +
  'mouse mule newt ocelot orca oryx osprey otter owl ox panda parrot perch pigeon pika pony puffin puma quail rabbit ram ' +
  'raven ray robin rook salmon seal shark sheep shrew skunk sloth snail snake sole spider squid stork swan tapir tern ' +
  'tiger toad toucan trout tuna turkey turtle viper vole walrus wasp weasel whale wolf wombat wren yak zebra'
).split(' ');

const pick = (words: readonly string[]): string => words[randomInt(words.length)] ?? 'nameless';

/** "calm-fox": about 17,000 names. */
const randomHostname = (): string => `${pick(ADJECTIVES)}-${pick(ANIMALS)}`;

/** A made-up name that no machine has; with a number behind it once two-word names run short. */
export async function freeHostname(isTaken: (name: string) => Promise<boolean>): Promise<string> {
  for (let attempt = 0; attempt < 40; attempt += 1) {
    const name = attempt < 20 ? randomHostname() : `${randomHostname()}-${randomInt(10, 100_000)}`;
    if (!(await isTaken(name))) return name;
  }
  throw new Error('no free machine name was found in 40 tries');
}

/**
 * A name as the caller wants it, in lower case: one DNS label (RFC 1123). A name that reads as an address ("10-0-0-7") or is
 * empty counts as none: null. Throws Problem for anything else.
 */
export function wantedHostname(text: string | undefined): string | null {
  const name = (text ?? '').trim().toLowerCase();
  if (name === '' || /^\d{1,3}(-\d{1,3}){3}$/.test(name)) return null;
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return name;
  throw new Problem('machine.hostname_invalid', { name }, { field: 'hostname' });
}
