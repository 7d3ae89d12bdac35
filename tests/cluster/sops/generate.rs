//! Random files of every format, in the spellings that people and tools use.

use std::fmt::Write as _;

use crate::support::random::Random;

const KEYS: &[&str] = &[
    "user",
    "password",
    "data",
    "pass_secret",
    "url_clear",
    "x_unencrypted",
    "key",
    "nested",
    "é",
    "with space",
    "k.ey",
    "list",
    "stringData",
    "metadata",
    "z",
];
const COMMENTS: &[&str] = &["note", "encrypt this", "clear this", "ä: b", "ENC[x]"];
const YAML: &[&str] = &[
    "plain",
    "two words",
    "\"a\\nb\\t\\u00e9\"",
    "''",
    "'it''s'",
    "12",
    "-7",
    "0",
    "0x1F",
    "010",
    "0b101",
    "1_000",
    "9007199254740993",
    "-9223372036854775808",
    "3.5",
    "1.0",
    "1e6",
    "0.00001",
    "1.10",
    "123456789012345678901234567890",
    "true",
    "False",
    "yes",
    "null",
    "~",
    "2024-01-02",
    "2001-12-14t21:59:43.10-05:00",
    "2024-01-02T03:04:05Z",
    "\"123\"",
    "\"true\"",
    "[]",
    "{}",
    "é😀",
    "!!str 12",
    "a:b#c",
    "\"\\u0001\"",
    "'2024-01-02'",
    "[1, two, {three: 3}]",
    ".inf",
    "-.INF",
    ".nan",
    "\"a\\u2028b\"",
    "\"\\u2029x y\\u2028\"",
    "\"x\\u2028\\ny\"",
    "\"n\\u0085l\"",
    "ENC[AES256_GCM",
    "ENC[AES256_GCM,data:x]",
    "'ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]'",
    "{<<: {m: 1}, n: 2024-01-02}",
];
const JSON: &[&str] = &[
    "\"x\"",
    "\"\"",
    "\"a\\nb \\\"q\\\" \\u00e9 😀\"",
    "1",
    "-0",
    "9007199254740993",
    "1.50",
    "1e3",
    "1e21",
    "0.0000001",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "\"12\"",
    "\"ENC[\"",
    "\"ENC[AES256_GCM,data:x]\"",
    "\"a\\u2028b\"",
];
const LINES: &[&str] = &[
    "x",
    "",
    "two words",
    "a=b=c",
    "\"quoted\"",
    "'q'",
    "12",
    "true",
    "p\\nq",
    "é😀",
    " padded ",
    "$HOME",
    "ENC[AES256_GCM,data:x",
    "a\u{2028}b",
];
const INI: &[&str] = &[
    "x",
    "",
    "two words",
    "a=b",
    "12",
    "true",
    "é",
    "p@ss;word#1",
    "'single'",
    "`tick;ed`",
    "a\\nb",
    "50%",
    "ENC[AES256_GCM,data:x]",
];

pub(super) fn yaml(random: &mut Random) -> String {
    let mut text = String::new();
    let documents = if random.below(8) == 0 { 2 } else { 1 };
    for index in 0..documents {
        if index > 0 {
            text.push_str("---\n");
        }
        map(random, &mut text, 0, 0);
    }
    text
}

fn map(random: &mut Random, text: &mut String, indent: usize, depth: usize) {
    let start = random.below(KEYS.len());
    for step in 0..1 + random.below(6) {
        comment(random, text, indent);
        let key = KEYS[(start + step) % KEYS.len()];
        write!(text, "{:indent$}{key}:", "").unwrap();
        value(random, text, indent + 2, depth);
    }
}

fn value(random: &mut Random, text: &mut String, indent: usize, depth: usize) {
    match random.below(10) {
        0 | 1 if depth < 4 => {
            text.push('\n');
            map(random, text, indent, depth + 1);
        }
        2 if depth < 4 => {
            text.push('\n');
            for _ in 0..1 + random.below(4) {
                comment(random, text, indent);
                write!(text, "{:indent$}-", "").unwrap();
                value(random, text, indent + 2, depth + 1);
            }
        }
        3 => writeln!(text, " |\n{0:indent$}line\n{0:indent$}  more\n", "").unwrap(),
        4 => writeln!(text, " {}", "x".repeat(1 + random.below(3000))).unwrap(),
        _ => writeln!(text, " {}", random.one(YAML)).unwrap(),
    }
}

fn comment(random: &mut Random, text: &mut String, indent: usize) {
    if random.below(5) == 0 {
        let words = random.one(COMMENTS);
        writeln!(text, "{:indent$}# {words}", "").unwrap();
    }
}

pub(super) fn json(random: &mut Random) -> String {
    object(random, 0)
}

fn object(random: &mut Random, depth: usize) -> String {
    let start = random.below(KEYS.len());
    let entries: Vec<String> = (0..1 + random.below(6))
        .map(|step| {
            let key = KEYS[(start + step) % KEYS.len()];
            format!("\"{key}\": {}", element(random, depth))
        })
        .collect();
    format!("{{{}}}", entries.join(","))
}

fn element(random: &mut Random, depth: usize) -> String {
    match random.below(8) {
        0 | 1 if depth < 4 => object(random, depth + 1),
        2 if depth < 4 => {
            let items: Vec<String> = (0..random.below(4))
                .map(|_| element(random, depth + 1))
                .collect();
            format!("[{}]", items.join(", "))
        }
        _ => random.one(JSON).to_owned(),
    }
}

pub(super) fn dotenv(random: &mut Random) -> String {
    let mut text = String::new();
    for name in 0..1 + random.below(8) {
        comment(random, &mut text, 0);
        let suffix = random.one(&["", "_secret", "_clear", "_unencrypted"]);
        writeln!(text, "NAME{name}{suffix}={}", random.one(LINES)).unwrap();
    }
    text
}

pub(super) fn ini(random: &mut Random) -> String {
    let mut text = String::new();
    let sections = 1 + random.below(3);
    let several = random.below(4) == 0;
    for section in 0..sections {
        if several {
            writeln!(text, "[Peer]").unwrap();
        } else if section > 0 || random.below(3) > 0 {
            writeln!(text, "[{}{section}]", random.one(&["s", "data", "a.b"])).unwrap();
        }
        for name in 0..random.below(5) {
            comment(random, &mut text, 0);
            let suffix = random.one(&["", "_secret", "_clear"]);
            writeln!(text, "name{section}{name}{suffix} = {}", random.one(INI)).unwrap();
        }
    }
    text
}

pub(super) fn binary(random: &mut Random) -> Vec<u8> {
    let length = random.one(&[0, 1, 31, 4096]);
    let text = random.below(2) == 0;
    (0..length)
        .map(|_| match u8::try_from(random.below(256)).unwrap() {
            byte if text => b' ' + byte % 90,
            byte => byte,
        })
        .collect()
}
