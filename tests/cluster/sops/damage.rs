//! Files bent in every way that one can think of: sops is the judge.

use std::ops::Range;

use super::{Desk, Random, Sample, choices, sample, tell, values};

const WAYS: usize = 10;
const KINDS: [&str; 8] = [
    "str", "int", "float", "bool", "bytes", "time", "comment", "x",
];
const WORDS: [(&str, &str); 8] = [
    ("mac", "mic"),
    ("_secret", "_sacred"),
    ("password", "passwore"),
    ("data", "date"),
    ("encrypted_", "unencrypted_"),
    ("mac_only_encrypted: true", "mac_only_encrypted: false"),
    ("2", "1"),
    ("true", "false"),
];

/// A damaged copy, or nothing where this way does not apply.
fn bend(random: &mut Random, way: usize, whole: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = whole.to_vec();
    let mut lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let found = encrypted(whole);
    let any = |random: &mut Random| found.get(random.below(found.len().max(1))).cloned();
    let at = random.below(bytes.len());
    let line = random.below(lines.len());
    match way {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes.truncate(at),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, whole[random.below(whole.len())]),
        4 => {
            lines.remove(line);
            bytes = lines.concat();
        }
        5 => {
            let other = random.below(lines.len());
            lines.swap(line, other);
            bytes = lines.concat();
        }
        6 => {
            let (a, b) = (any(random)?, any(random)?);
            let (a, b) = if a.start < b.start { (a, b) } else { (b, a) };
            // A clear value that only begins like an encrypted one reaches into the next.
            if a == b || a.end > b.start {
                return None;
            }
            let between = &whole[a.end..b.start];
            bytes = [
                &whole[..a.start],
                &whole[b.clone()],
                between,
                &whole[a],
                &whole[b.end..],
            ]
            .concat();
        }
        7 => {
            let with = random.one(&["", "x", "ENC[]"]);
            bytes.splice(any(random)?, with.bytes());
        }
        8 => {
            let value = any(random)?;
            let text = String::from_utf8(whole[value.clone()].to_vec()).ok()?;
            let (head, _) = text.rsplit_once(':')?;
            let retyped = format!("{head}:{}]", random.one(&KINDS));
            bytes.splice(value, retyped.into_bytes());
        }
        _ => {
            let (from, to) = random.one(&WORDS);
            let text = String::from_utf8(bytes).ok()?;
            bytes = text.replacen(from, to, 1 + random.below(2)).into_bytes();
        }
    }
    (bytes != whole).then_some(bytes)
}

/// Where encrypted values stand.
fn encrypted(whole: &[u8]) -> Vec<Range<usize>> {
    let windows = whole.windows(4).enumerate();
    windows
        .filter(|(_, window)| window == b"ENC[")
        .filter_map(|(start, _)| {
            let length = whole[start..].iter().position(|byte| *byte == b']')?;
            Some(start..start + length + 1)
        })
        .collect()
}

/// How a damaged file was met.
enum Met {
    Refused,
    /// By both, with the same data.
    Opened,
    /// Sops refuses, and what we give is what stood there before: a comment was bent, which we
    /// never read, or the comments that choose what is encrypted were.
    Unharmed,
}

/// Whatever sops refuses we refuse or give unharmed; what both accept is the same data.
fn judge(desk: &Desk, sample: &Sample, bent: &[u8]) -> Result<Met, String> {
    let Ok(opened) = desk.open(bent, sample.choice.format, true) else {
        return Ok(Met::Refused);
    };
    let ours = values(&opened.documents);
    match desk.decrypt(bent, sample.choice.format) {
        Ok(theirs) if theirs == ours => Ok(Met::Opened),
        Ok(theirs) => Err(format!("OURS {ours:?}\nSOPS {theirs:?}")),
        Err(_) if ours == sample.expected => Ok(Met::Unharmed),
        // Clear values outside the checksum are accepted only when one asks for it.
        Err(_) if desk.open(bent, sample.choice.format, false).is_err() => Ok(Met::Refused),
        Err(error) => Err(format!("we open what sops refuses: {error}\nOURS {ours:?}")),
    }
}

#[test]
fn what_sops_refuses_is_refused() {
    let desk = Desk::new();
    let (mut refused, mut accepted, mut unharmed) = (0, 0, 0);
    let mut wrong = Vec::new();
    let choices = choices();
    for seed in 10_001..=10_050 {
        let choice = choices[usize::try_from(seed * 37).unwrap() % choices.len()];
        let Ok(sample) = sample(&desk, choice, seed) else {
            continue;
        };
        let mut random = Random::new(seed);
        for way in (0..WAYS).cycle().take(WAYS * 4) {
            let Some(bent) = bend(&mut random, way, &sample.encrypted) else {
                continue;
            };
            match judge(&desk, &sample, &bent) {
                Ok(Met::Opened) => accepted += 1,
                Ok(Met::Refused) => refused += 1,
                Ok(Met::Unharmed) => unharmed += 1,
                Err(why) => wrong.push(format!(
                    "way {way} {}\nBENT\n{}\n{why}",
                    tell(seed, &sample),
                    String::from_utf8_lossy(&bent)
                )),
            }
        }
    }
    eprintln!(
        "{refused} refused, {accepted} accepted as by sops, {unharmed} unharmed, {} wrong",
        wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(
        refused > 500 && accepted > 0 && unharmed < 40,
        "{refused} refused, {accepted} accepted"
    );
}
