//! Lifetimes as a server writes them, limited to what any clock can count.

use crate::base::material::Node;

/// Ten years: a longer lifetime never ends while this process runs.
pub const LONGEST: u64 = 10 * 365 * 86_400;

/// The seconds in a number: zero if it is negative, and never more than the longest.
pub(super) fn seconds(number: &str) -> Option<u64> {
    let seconds: f64 = number.trim().parse().ok()?;
    // Such a number has no relevant fraction, and is exact as a float.
    Some(seconds.clamp(0.0, LONGEST as f64) as u64)
}

/// The seconds in an entry of an answer.
pub(super) fn seconds_in(tree: &Node, name: &str) -> Option<u64> {
    let leaf = tree.entry(name).and_then(Node::leaf)?;
    leaf.expose_str().and_then(seconds)
}

/// How long the credentials of a static role are valid: the engine changes them at its own time,
/// without a lease.
pub(super) fn until_rotation(data: &Node) -> Option<u64> {
    let marks = [
        "rotation_period",
        "rotation_schedule",
        "last_vault_rotation",
    ];
    let is_role = marks.iter().any(|name| data.entry(name).is_some());
    is_role.then(|| seconds_in(data, "ttl")).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::material::SecretBytes;

    #[test]
    fn row_152_a_duration_is_clamped_where_it_is_parsed() {
        let rows = [
            ("0", Some(0)),
            ("2764800", Some(2_764_800)),
            ("59.9", Some(59)),
            ("-1", Some(0)),
            ("9223372036854775808", Some(LONGEST)),
            ("1e400", Some(LONGEST)),
            ("-1e400", Some(0)),
            ("null", None),
            ("", None),
        ];
        for (number, want) in rows {
            assert_eq!(seconds(number), want, "{number}");
        }
    }

    #[test]
    fn row_151_a_static_role_is_known_by_what_it_tells_of_its_rotation() {
        let rows: [(&[&str], Option<u64>); 6] = [
            (&["ttl", "rotation_period"], Some(7)),
            (&["ttl", "rotation_schedule", "rotation_window"], Some(7)),
            (&["ttl", "last_vault_rotation", "last_password"], Some(7)),
            (&["ttl"], None),
            (&["rotation_period"], None),
            (&[], None),
        ];
        for (names, want) in rows {
            let seven = || Node::Number(SecretBytes::from("7"));
            let entries = names.iter().map(|name| ((*name).to_owned(), seven()));
            let data = Node::Map(entries.collect());
            assert_eq!(until_rotation(&data), want, "{names:?}");
        }
    }
}
