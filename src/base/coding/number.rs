//! Numbers: JSON's definition, and the three spellings of Go, which the checksum of SOPS covers.

/// Without an exponent, with the fewest exact digits: SOPS encrypts this spelling, and its checksum
/// covers it.
pub(crate) fn decimal(number: f64) -> String {
    match special(number) {
        Some(word) => word.to_owned(),
        None => number.to_string(),
    }
}

/// As Go's YAML writes it: an exponent from a million on.
pub(crate) fn in_yaml(number: f64) -> String {
    if let Some((_, word)) = SPECIAL.iter().find(|(special, _)| same(*special, number)) {
        return (*word).to_owned();
    }
    let Some((digits, exponent)) = scientific(number) else {
        return decimal(number);
    };
    match exponent {
        -4..6 => decimal(number),
        _ => format!(
            "{digits}e{}{:02}",
            if exponent < 0 { '-' } else { '+' },
            exponent.unsigned_abs()
        ),
    }
}

/// As Go's JSON writes it: an exponent from 10^21 on.
pub(crate) fn in_json(number: f64) -> String {
    let Some((digits, exponent)) = scientific(number) else {
        return decimal(number);
    };
    match exponent {
        -6..21 => decimal(number),
        21.. => format!("{digits}e+{exponent}"),
        _ => format!("{digits}e{exponent}"),
    }
}

/// Numbers without digits, as YAML spells them.
const SPECIAL: [(f64, &str); 3] = [
    (f64::INFINITY, ".inf"),
    (f64::NEG_INFINITY, "-.inf"),
    (f64::NAN, ".nan"),
];

fn same(one: f64, other: f64) -> bool {
    one == other || (one.is_nan() && other.is_nan())
}

/// The number of a spelling from this module; `None` for an integer of 64 bits.
pub(crate) fn float(text: &str) -> Option<f64> {
    if let Some((special, _)) = SPECIAL.iter().find(|(_, word)| *word == text) {
        return Some(*special);
    }
    match text.parse::<i64>() {
        Ok(_) => None,
        Err(_) => text.parse().ok(),
    }
}

fn special(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number.is_infinite() {
        Some(if number > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}

/// Shortest digits and exponent of a number; `None` for zero, infinities and NaN.
fn scientific(number: f64) -> Option<(String, i32)> {
    if !number.is_finite() || number == 0.0 {
        return None;
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e')?;
    Some((digits.to_owned(), exponent.parse().ok()?))
}

/// Whether JSON would call this a number.
pub(crate) fn is_json(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected columns were printed by Go: `FormatFloat(f, 'f', -1, 64)`, `'g'` and
    /// `json.Marshal`.
    #[test]
    fn spellings_are_those_of_go() {
        for (number, decimal_spelling, yaml, json) in [
            (1e6, "1000000", "1e+06", "1000000"),
            (1e5, "100000", "100000", "100000"),
            (1_234_567.5, "1234567.5", "1.2345675e+06", "1234567.5"),
            (
                1e20,
                "100000000000000000000",
                "1e+20",
                "100000000000000000000",
            ),
            (1e21, "1000000000000000000000", "1e+21", "1e+21"),
            (
                1.2345678901234568e29,
                "123456789012345680000000000000",
                "1.2345678901234568e+29",
                "1.2345678901234568e+29",
            ),
            (0.0001, "0.0001", "0.0001", "0.0001"),
            (0.00001, "0.00001", "1e-05", "0.00001"),
            (1.5e-9, "0.0000000015", "1.5e-09", "1.5e-9"),
            (-1.1, "-1.1", "-1.1", "-1.1"),
            (0.0, "0", "0", "0"),
            (f64::INFINITY, "+Inf", ".inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-.inf", "-Inf"),
            (f64::NAN, "NaN", ".nan", "NaN"),
        ] {
            assert_eq!(decimal(number), decimal_spelling);
            assert_eq!(in_yaml(number), yaml);
            assert_eq!(in_json(number), json);
            assert!(float(yaml).is_none_or(|read| same(read, number)), "{yaml}");
        }
    }

    #[test]
    fn json_numbers_are_told_from_other_words() {
        for text in [
            "0",
            "-0",
            "10",
            "1.50",
            "1e5",
            "1E+05",
            "-0.1e-9",
            "9007199254740993",
        ] {
            assert!(is_json(text), "{text}");
        }
        for text in [
            "", "-", "+1", "01", ".5", "1.", "1e", "1e+", "0x1F", "1_000", "NaN", "1 ",
        ] {
            assert!(!is_json(text), "{text}");
        }
    }
}
