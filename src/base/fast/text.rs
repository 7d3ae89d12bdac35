//! How far a text goes on without a byte that needs a look of its own.

/// Bytes at the beginning that a string of JSON holds as they are: all but quotes, backslashes and
/// control characters.
#[inline(never)]
pub fn before_escape(text: &[u8]) -> usize {
    run(text, escaped)
}

/// The same for printable ASCII only.
#[inline(never)]
pub fn before_escape_or_unprintable(text: &[u8]) -> usize {
    run(text, |bytes| {
        escaped(bytes) | equal(bytes, 0x7f) | bytes & (EACH * 0x80)
    })
}

/// A one in each of eight bytes.
const EACH: u64 = u64::from_ne_bytes([1; 8]);

/// Whether any of eight bytes needs an escape: not 0.
fn escaped(bytes: u64) -> u64 {
    equal(bytes, b'"') | equal(bytes, b'\\') | below(bytes, 0x20)
}

/// Whether any of eight bytes is this one: not 0.
fn equal(bytes: u64, one: u8) -> u64 {
    below(bytes ^ (EACH * u64::from(one)), 1)
}

/// Whether any of eight bytes is smaller than this one, which is at most 0x80: not 0. A subtraction
/// sets the top bit of a byte that is smaller; a byte whose top bit was set before is not smaller.
fn below(bytes: u64, one: u8) -> u64 {
    bytes.wrapping_sub(EACH * u64::from(one)) & !bytes & (EACH * 0x80)
}

/// Eight bytes at once, and then the rest one by one.
fn run(text: &[u8], ends: impl Fn(u64) -> u64) -> usize {
    let (words, _) = text.as_chunks();
    let words = words.iter().map(|bytes| u64::from_ne_bytes(*bytes));
    let whole = words.take_while(|bytes| ends(*bytes) == 0).count() * 8;
    let rest = text[whole..].iter().map(|byte| EACH * u64::from(*byte));
    whole + rest.take_while(|bytes| ends(*bytes) == 0).count()
}
