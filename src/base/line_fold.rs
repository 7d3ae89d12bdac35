//! Folds texts into lines of a limited width.

/// The most columns of a line.
pub const COLUMNS: usize = 100;

/// Adds words to a line that has begun at column `indent`, and begins more lines there. Only a
/// single word that is too wide makes a line wider.
pub fn fold<'t>(out: &mut String, indent: usize, words: impl Iterator<Item = &'t str>) {
    let mut column = indent;
    for (number, word) in words.enumerate() {
        let width = word.chars().count();
        if number > 0 && column + 1 + width > COLUMNS {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if number > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_before_the_word_that_does_not_fit() {
        let (long, wide) = ("x".repeat(COLUMNS - 2), "y".repeat(COLUMNS + 5));
        let mut out = "ab".to_owned();
        fold(&mut out, 2, [long.as_str(), "z", "z", &wide].into_iter());
        assert_eq!(out, format!("ab{long}\n  z z\n  {wide}"));
    }
}
