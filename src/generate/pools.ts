/** What texts are made of. */

export interface People {
  readonly code: string;
  readonly country: string;
  readonly dialling: string;
  /** Names as they are written, and in ASCII, as in an address of mail. */
  readonly given: readonly (readonly [string, string])[];
  readonly family: readonly (readonly [string, string])[];
  readonly cities: readonly string[];
}

function names(text: string): (readonly [string, string])[] {
  return text.split(' ').map((pair) => {
    const [written = '', ascii] = pair.split('/');
    return [written, ascii ?? written.toLowerCase()] as const;
  });
}

function people(
  [code, country, dialling]: readonly [string, string, string],
  given: string,
  family: string,
  cities: string,
): People {
  return { code, country, dialling, given: names(given), family: names(family), cities: cities.split('|') };
}

/** Given and family names in the order that they are written in; a slash divides a name from its ASCII form. */
export const PEOPLE: readonly People[] = [
  people(
    ['DE', 'Deutschland', '49'],
    'Jürgen/juergen Käthe/kaethe Lukas Jörg/joerg Anna Sofie Emil',
    'Müller/mueller Weiß/weiss Schröder/schroeder Fischer Vogt',
    'Berlin|Köln|München|Frankfurt (Oder)|St. Peter-Ording',
  ),
  people(
    ['US', 'United States', '1'],
    'Ava Noah Renée/renee Chloë/chloe Liam Mia',
    'Johnson García/garcia Nguyễn/nguyen Smith Lee',
    'New York|Boise|San José|St. Louis|Winston-Salem',
  ),
  people(
    ['GB', 'United Kingdom', '44'],
    'Alice Oliver Siân/sian Rhys',
    "O'Connor/oconnor Smith-Jones Lee Taylor",
    "London|Leeds|King's Lynn|Ynys Môn",
  ),
  people(
    ['BR', 'Brasil', '55'],
    'João/joao Ângela/angela Thiago Conceição/conceicao',
    'Gonçalves/goncalves Araújo/araujo Simões/simoes',
    'São Paulo|Belém|Brasília',
  ),
  people(
    ['CZ', 'Česko', '420'],
    'Jiří/jiri Zdeněk/zdenek Šárka/sarka Božena/bozena',
    'Dvořák/dvorak Němcová/nemcova Růžička/ruzicka',
    'Praha|Plzeň|Ústí nad Labem',
  ),
  people(
    ['EG', 'مصر', '20'],
    'محمد/mohamed فاطمة/fatma أحمد/ahmed',
    'حسن/hassan السيد/elsayed عبدالله/abdallah',
    'القاهرة|الإسكندرية',
  ),
  people(
    ['ES', 'España', '34'],
    'Begoña/begona Íñigo/inigo María/maria José/jose',
    'Núñez/nunez Ibáñez/ibanez Martín/martin',
    'Málaga|Logroño|A Coruña',
  ),
  people(
    ['FR', 'France', '33'],
    'Zoé/zoe François/francois Anaïs/anais Jean-Noël/jean-noel',
    "Lefèvre/lefevre D'Aubigné/daubigne Noël/noel",
    "Saint-Étienne|L'Haÿ-les-Roses|Lyon",
  ),
  people(
    ['GR', 'Ελλάδα', '30'],
    'Γιώργος/giorgos Ελένη/eleni Νίκος/nikos',
    'Παπαδόπουλος/papadopoulos Νικολάου/nikolaou',
    'Αθήνα|Πάτρα',
  ),
  people(
    ['IN', 'भारत', '91'],
    'आरव/aarav प्रिया/priya रोहन/rohan',
    'शर्मा/sharma पटेल/patel सिंह/singh',
    'मुंबई|Bengaluru|दिल्ली',
  ),
  people(
    ['JP', '日本', '81'],
    '佐藤/sato 鈴木/suzuki 髙橋/takahashi',
    '美咲/misaki 翔太/shota さくら/sakura',
    '東京|大阪市|𠮷野町',
  ),
  people(
    ['KR', '대한민국', '82'],
    '김/kim 이/lee 박/park',
    '서연/seoyeon 민준/minjun 지우/jiwoo',
    '서울|부산',
  ),
  people(
    ['PL', 'Polska', '48'],
    'Łukasz/lukasz Małgorzata/malgorzata Grażyna/grazyna',
    'Wójcik/wojcik Żak/zak Dąbrowska/dabrowska',
    'Łódź|Gdańsk|Bielsko-Biała',
  ),
  people(
    ['TR', 'Türkiye', '90'],
    'İbrahim/ibrahim Ayşe/ayse Gülşen/gulsen',
    'Yılmaz/yilmaz Öztürk/ozturk Çağlar/caglar',
    'İstanbul|Iğdır|Muğla',
  ),
  people(
    ['UA', 'Україна', '380'],
    'Олена/olena Їжак/yizhak Сергій/serhii',
    'Шевченко/shevchenko Ковальчук/kovalchuk',
    'Київ|Львів',
  ),
];

/** What people and programs write into free text, so that no reader gets away with simple quoting. */
export const NOTES: readonly string[] = [
  '',
  'für Oma',
  'bitte 2× klingeln 🔔',
  'say "hello", please',
  'C:\\gift\\card',
  ' leave\nat the door ',
  'null',
  'paid; see invoice 0042',
  '100 % sure, or 5% off',
  '=1+1',
  "it's fine",
  'تم الدفع',
];

export const STREETS: readonly string[] = [
  'Hauptstraße',
  'Rue de l’Église',
  'Main St',
  'Via Roma',
  'ул. Ленина',
  'Calle Mayor',
  '中央通り',
  'Market Sq, "Old Town"',
];

export const COMPANIES: readonly string[] = [
  'Müller & Söhne',
  'Nordlicht',
  'Café “Zürich”',
  'Brickell, Hayes',
  'Ōsaka Trading',
  'O’Hara',
  'Ēriks un Co.',
  'Δέλτα',
];

export const LEGAL_FORMS: readonly string[] = [
  'GmbH',
  'Ltd.',
  'S.A.',
  'SIA',
  'UAB',
  'Inc.',
  'Oy',
  'Sp. z o.o.',
];

export const CURRENCIES: readonly string[] = ['EUR', 'EUR', 'EUR', 'USD', 'GBP', 'PLN', 'JPY'];

/** With what arrays in text are made of, and with what is taken for none. */
export const TAGS: readonly string[] = ['vip', 'new,er', 'b2b "net 30"', 'été', '{braces}', 'NULL', ''];
