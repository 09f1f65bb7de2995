import { PARTS } from '../../guarantees/attack.ts';
import { attackBriefly } from '../../guarantees/brief-suite.ts';

attackBriefly(PARTS.filter((part) => part !== 'kill'));
