//! Format and colour of output. Only our own words are coloured: names are escaped before, so no
//! colour comes from them.

/// Whether a text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Without colours.
    #[default]
    Plain,
    /// With the escapes of a terminal.
    Coloured,
}

/// How what is looked at is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for a person.
    Text,
    /// One JSON document.
    Json,
}

/// The meaning of a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A failure, or a deletion.
    Bad,
    /// A thing that is new.
    New,
    /// A thing that changes.
    Changed,
    /// The next move.
    Next,
    /// Nothing that needs attention.
    Quiet,
}

impl Style {
    /// A word in a tone.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Bad => "1;31",
            Tone::New => "32",
            Tone::Changed => "33",
            Tone::Next => "1;36",
            Tone::Quiet => "2",
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}
