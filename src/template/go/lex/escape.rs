//! Escapes in texts, in Go's syntax.

use crate::base::coding::hex;

/// Reads an escape after its backslash; gives the rest of the text.
pub(super) fn escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let first = text.chars().next()?;
    let simple = match first {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' => b'"',
        'x' => return byte(text.get(1..3)?, 16, bytes).and(text.get(3..)),
        '0'..='7' => return byte(text.get(..3)?, 8, bytes).and(text.get(3..)),
        'u' => return code_point(text.get(1..5)?, bytes).and(text.get(5..)),
        'U' => return code_point(text.get(1..9)?, bytes).and(text.get(9..)),
        _ => return None,
    };
    bytes.push(simple);
    text.get(1..)
}

fn byte(digits: &str, radix: u32, bytes: &mut Vec<u8>) -> Option<()> {
    let plain = digits.chars().all(|digit| digit.is_digit(radix));
    bytes.push(u8::from_str_radix(digits, radix).ok().filter(|_| plain)?);
    Some(())
}

fn code_point(digits: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let text = char::from_u32(hex::number(digits)?)?;
    bytes.extend_from_slice(text.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}
