//! Queries made at random over the tables of `lineage.rs`: the same few names everywhere, so that
//! they hide each other, and every value as text, so that most of them run.

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % 1_000_003).unwrap() % sides
    }

    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.roll(words.len())]
    }

    fn column(&mut self) -> String {
        let name = self.pick(&["ssn", "name", "ssn", "name", "ssn", "name", "id", "email", "a"]);
        match self.roll(4) {
            0 => format!("{}.{name}", self.pick(&["c", "c", "q", "w", "l"])),
            _ => name.to_owned(),
        }
    }

    fn value(&mut self, depth: usize) -> String {
        if depth == 0 {
            return format!("({})::text", self.column());
        }
        let d = depth - 1;
        match self.roll(18) {
            0 => format!("upper({})", self.value(d)),
            1 => format!("coalesce({}, {})", self.value(d), self.value(d)),
            2 => format!("{} || {}", self.value(d), self.value(d)),
            3 => format!("case when {} is null then 'x' else {} end", self.value(d), self.value(d)),
            4 => format!("(select {} from {} limit 1)", self.value(d), self.from(d)),
            5 => format!("array(select {} from {})::text", self.value(d), self.from(d)),
            6 => format!("exists (select {} from {})::text", self.value(d), self.from(d)),
            7 => format!("{}::text", self.pick(&["c", "o", "q", "w", "customers", "l", "n"])),
            8 => format!("row_to_json({})::text", self.pick(&["c", "o", "q", "w", "customers"])),
            9 => format!("(({}).{})::text", self.pick(&["c", "q", "w", "l"]), self.pick(&["ssn", "name", "a", "b"])),
            10 => format!("max({}) over (partition by {})", self.value(0), self.value(0)),
            11 => format!("(count({}) over ())::text", self.value(0)),
            12 => "'x'::text".to_owned(),
            _ => format!("({})::text", self.column()),
        }
    }

    fn source(&mut self, depth: usize) -> String {
        if depth == 0 {
            let tables = [
                "customers c",
                "customers c",
                "customers q",
                "orders o",
                "customer_names c",
                "w",
                "customer_ssns q(ssn)",
            ];
            return self.pick(&tables).to_owned();
        }
        let d = depth - 1;
        match self.roll(10) {
            0 => format!("({}) q", self.query(d)),
            1 => format!("({}) q(a, b)", self.query(d)),
            2 => format!("({}) c", self.query(d)),
            3 => format!("lateral ({}) l", self.query(d)),
            4 => format!("({} join {} using (id))", self.source(0), self.source(0)),
            5 => format!("({} natural join {}) as q", self.source(0), self.source(0)),
            6 => format!("(values ({}, 'x')) q(a, b)", self.value(0)),
            7 => format!("unnest(array[{}]) as l(a)", self.value(0)),
            _ => self.source(0),
        }
    }

    fn from(&mut self, depth: usize) -> String {
        let first = self.source(depth);
        match self.roll(5) {
            0 => format!("{first}, {}", self.source(depth)),
            1 => format!("{first} cross join {}", self.source(depth)),
            2 => format!("{first} left join {} on true", self.source(depth)),
            _ => first,
        }
    }

    fn query(&mut self, depth: usize) -> String {
        let d = depth.saturating_sub(1);
        let with = match self.roll(5) {
            0 if depth > 0 => format!("with w as ({}) ", self.query(d)),
            1 if depth > 1 => format!("with w(name, ssn) as ({}) ", self.query(d)),
            _ => String::new(),
        };
        let (one, two) = (self.value(d), self.value(d));
        let list = match self.roll(8) {
            0 => "*".to_owned(),
            1 => format!("{}.*", self.pick(&["c", "q", "w", "l"])),
            2 => format!("{one}, {two}"),
            3 => format!("{one} as name, {two} as ssn"),
            4 => format!("{one} as ssn, {two} as name"),
            5 => format!("{one} as a, {two} as b"),
            6 => format!("{one} as name, {two} as ssn"),
            _ => format!("{one} as email, {two} as id"),
        };
        let simple = format!("{with}select {list} from {}", self.from(d));
        match self.roll(6) {
            0 if depth > 0 => format!("({simple}) union all ({})", self.query(d)),
            1 => format!("{simple} where {} is not null", self.value(0)),
            _ => simple,
        }
    }
}

/// This many queries, the same every time.
pub(crate) fn queries(count: usize) -> Vec<String> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    (0..count).map(|n| dice.query(1 + n % 3)).collect()
}
