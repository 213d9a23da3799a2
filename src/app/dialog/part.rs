//! What a dialog says, part by part.

/// What is never left out.
pub const ALWAYS: u8 = 0;

/// How much a part stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogEmphasis {
    /// It informs.
    Plain,
    /// It says who or what is hit.
    Target,
    /// It says what happens.
    Alarm,
}

/// Something that a dialog says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogPart {
    /// What it is about.
    pub label: &'static str,
    /// What there is to say.
    pub text: String,
    /// The same in fewer words, for a small window.
    pub short: Option<String>,
    /// How early it is left out where there is no room, the highest first; [`ALWAYS`] never.
    pub spare: u8,
    /// How much it stands out.
    pub emphasis: DialogEmphasis,
}

impl DialogPart {
    /// A part that is always shown.
    pub fn always(label: &'static str, text: impl Into<String>, emphasis: DialogEmphasis) -> Self {
        Self { label, text: text.into(), short: None, spare: ALWAYS, emphasis }
    }

    /// The same, in these words where there is little room.
    #[must_use]
    pub fn or(self, short: impl Into<String>) -> Self {
        Self { short: Some(short.into()), ..self }
    }

    /// The same, left out where there is no room.
    #[must_use]
    pub fn unless_full(self, spare: u8) -> Self {
        Self { spare, ..self }
    }
}
