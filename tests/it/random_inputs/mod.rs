//! Inputs bent at random, from fixed seeds: a short run of what `fuzz/` does for hours.

mod judges;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::support::random::Random;
use crate::support::run::Run;
use judges::Target;

/// Pieces that parsers look for.
const WORDS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"=",
    b": ",
    b"\"",
    b"'",
    b"`",
    b"\\",
    b"#",
    b"{",
    b"}",
    b"[",
    b"]",
    b"- ",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xc3\xa9",
    b"---\n",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!binary ",
    b"|2\n",
    b"ENC[AES256_GCM,data:",
    b",iv:",
    b",tag:",
    b",type:comment]",
    b",type:time]",
    b"__list_0__map_",
    b"__list_99999999999__",
    b"sops_",
    b"sops:\n",
    b"mac_only_encrypted: true\n",
    b"encrypted_regex: (a*)*b\n",
    b"unencrypted_suffix: ''\n",
    b"shamir_threshold: 0\n",
    b"-1",
    b"255",
    b"65536",
    b"18446744073709551616",
    b"1e999",
    b"-> scrypt ",
    b"-> X25519 ",
    b"-----BEGIN AGE ENCRYPTED FILE-----\n",
    b"export ",
    b"'''",
    b"\"\"\"",
    b"$(",
    b"${A}",
    b" ",
    b"{{",
    b"}}",
    b"{{- range $i, $x := ",
    b"{{ end }}",
    b" | repeat 9 ",
    b" | splitList \"\" ",
    b"{1,9}",
    b"(?i)",
    b"[^",
    b"|",
    b"*",
];
const WAYS: usize = 10;
/// What a single input may take of a processor at most, whatever else the machine does meanwhile.
const AT_ONCE: Duration = Duration::from_secs(5);
/// What all inputs of one target together may make the process grow by, its parser's own limits and
/// the inputs included.
const MOST_GROWTH: u64 = 64 << 20;
/// What copying may make of an input.
const LARGEST: usize = 1 << 18;

/// One to three changes.
fn bend(random: &mut Random, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + random.below(3) {
        change(random, &mut bytes, other);
    }
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(bytes.len() + 1);
    let to = (at + random.below(40)).min(bytes.len());
    match random.below(WAYS) {
        0 => match bytes.get_mut(at) {
            Some(byte) => *byte ^= 1 << random.below(8),
            None => bytes.push(0),
        },
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..to)),
        3 => drop(bytes.splice(at..at, random.one(WORDS).iter().copied())),
        4 => drop(bytes.splice(at..to, random.one(WORDS).iter().copied())),
        5 => {
            let copies = random.one(&[1, 2, 100, 5000]);
            let piece = bytes[at..to].repeat(copies);
            if bytes.len() + piece.len() < LARGEST {
                bytes.splice(at..at, piece);
            }
        }
        6 => lines(random, bytes),
        7 => {
            let from = random.below(other.len() + 1);
            let end = (from + random.below(200)).min(other.len());
            bytes.splice(at..to, other[from..end].iter().copied());
        }
        8 => {
            // The same under another number: a value at another's place, metadata behind another
            // tree.
            if let (Some(byte), Some(number)) = (bytes.first_mut(), other.first()) {
                *byte = *number;
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.one(b"\0\t\n \"'-0129:=[]{}~AZaz\x7f\x80\xff");
            }
        }
    }
}

/// Two lines change places, one goes, or one comes twice.
fn lines(random: &mut Random, bytes: &mut Vec<u8>) {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut lines: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let (a, b) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(3) {
        0 => lines.swap(a, b),
        1 => drop(lines.remove(a)),
        _ => lines.insert(b, lines[a].clone()),
    }
    *bytes = lines.concat();
}

#[track_caller]
fn survives(target: &Target, rounds: u64) {
    let seeds = (target.seeds)();
    for (number, seed) in seeds.iter().enumerate() {
        assert!(
            (target.judge)(seed),
            "seed {number} is not accepted as it is"
        );
    }
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut random = Random::new(round + 1);
        let seed = &seeds[random.below(seeds.len())];
        let other = &seeds[random.below(seeds.len())];
        let input = bend(&mut random, seed, other);
        let start = worked();
        match catch_unwind(AssertUnwindSafe(|| (target.judge)(&input))) {
            Ok(true) => accepted += 1,
            Ok(false) => refused += 1,
            Err(_) => panic!("round {round}:\n{}", String::from_utf8_lossy(&input)),
        }
        let took = worked() - start;
        assert!(took < AT_ONCE, "round {round} took {took:?}");
    }
    assert!(
        accepted > 0 && refused > rounds / 20,
        "{accepted} accepted and {refused} refused: the changes are too many or too few"
    );
}

/// The same in a process of its own, where what it takes of memory can be told.
#[track_caller]
fn survives_in_bounds(test: &str, target: &Target, rounds: u64) {
    const ALONE: &str = "KEYFERRY_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let done = Run::of(std::env::current_exe().expect("it has a path"))
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(ALONE, "1")
            .limit(Duration::from_secs(300))
            .run();
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(done.code == 0 && said.contains("1 passed"), "{said}");
        return;
    }
    let before = most_memory();
    survives(target, rounds);
    let growth = most_memory() - before;
    assert!(growth < MOST_GROWTH, "it grew by {} MiB", growth >> 20);
}

/// For how long this thread had a processor.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("/proc is there");
    let nanoseconds = text.split_whitespace().next().expect("a time");
    Duration::from_nanos(nanoseconds.parse().expect("a number"))
}

/// The most that this process ever had in memory, in bytes.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .expect("a peak");
    kib.parse::<u64>().expect("a number") * 1024
}

#[test]
fn row_181_a_yaml_document() {
    survives_in_bounds(
        "random_inputs::row_181_a_yaml_document",
        &judges::YAML,
        2000,
    );
}

#[test]
fn row_181_patterns_of_annotations() {
    survives_in_bounds(
        "random_inputs::row_181_patterns_of_annotations",
        &judges::PATTERNS,
        2000,
    );
}

#[test]
fn row_181_a_go_template() {
    survives_in_bounds(
        "random_inputs::row_181_a_go_template",
        &judges::GO_TEMPLATE,
        2000,
    );
}

#[test]
fn the_metadata_of_sops() {
    survives(&judges::SOPS_METADATA, 2000);
}

#[test]
fn a_value_of_sops() {
    survives(&judges::SOPS_VALUE, 1000);
}

/// Items of one list are bound to the list only: the checksum alone tells them apart.
#[test]
fn a_value_of_sops_at_the_place_of_another() {
    let seeds = (judges::SOPS_VALUE.seeds)();
    let numbers: Vec<u8> = seeds.iter().map(|seed| seed[0]).collect();
    for seed in &seeds {
        for number in &numbers {
            let moved = [&[*number][..], &seed[1..]].concat();
            let accepted = (judges::SOPS_VALUE.judge)(&moved);
            assert_eq!(accepted, *number == seed[0], "{} at {number}", seed[0]);
        }
    }
}

#[test]
fn a_sealed_value() {
    survives(&judges::SEALED_BLOB, 1000);
}

#[test]
fn an_age_file() {
    survives(&judges::AGE_FILE, 2000);
}

#[test]
fn an_env_file() {
    survives(&judges::DOTENV, 5000);
}

#[test]
fn an_ini_file() {
    survives(&judges::INI, 3000);
}
