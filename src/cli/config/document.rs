//! The config file as serde reads it: a TOML document whose errors say what is wrong by kind, and where.
//!
//! toml's own errors are text only. Here they have the key and the names there are, so that a sentence can be made of them.

use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DocumentError {
    /// The offset of the wrong place, in bytes; `None` until a value with a place has seen the error.
    pub(super) at: Option<usize>,
    /// The key whose value is wrong.
    pub(super) key: Option<String>,
    /// What is wrong.
    pub(super) mistake: DocumentMistake,
}

/// What can be wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DocumentMistake {
    /// It is not TOML, as the parser says.
    NotToml(String),
    /// A key that does not exist.
    UnknownKey {
        /// As it is written.
        key: String,
        /// Those that exist.
        known: &'static [&'static str],
    },
    /// A word that does not exist.
    UnknownWord {
        /// As it is written.
        word: String,
        /// Those that exist.
        known: &'static [&'static str],
    },
    /// A key that must be there.
    MissingKey(&'static str),
    /// A value that the key does not take.
    WrongValue {
        /// What is written.
        given: String,
        /// What the key takes.
        wanted: String,
    },
    /// What the owner of the value says of it: a sentence.
    Refused(String),
}

impl DocumentError {
    fn of(mistake: DocumentMistake) -> Self {
        Self { at: None, key: None, mistake }
    }

    fn at(self, at: usize) -> Self {
        Self { at: self.at.or(Some(at)), ..self }
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.mistake)
    }
}

impl std::error::Error for DocumentError {}

/// What is given, as the user wrote it.
fn given_in_words(given: Unexpected<'_>) -> String {
    match given {
        Unexpected::Bool(is_on) => is_on.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Str(text) => format!("{text:?}"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a section".to_owned(),
        other => other.to_string(),
    }
}

/// What a value has to be. serde calls types by their names in Rust, which few users know.
fn wanted_in_words(wanted: &dyn Expected) -> String {
    let wanted = wanted.to_string();
    match wanted.as_str() {
        "a boolean" => "true or false".to_owned(),
        "a string" => "text in quotes".to_owned(),
        "a map" => "a section".to_owned(),
        "a sequence" => "a list".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        _ => wanted,
    }
}

impl serde::de::Error for DocumentError {
    fn custom<T: fmt::Display>(sentence: T) -> Self {
        Self::of(DocumentMistake::Refused(sentence.to_string()))
    }

    fn invalid_type(given: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::of(DocumentMistake::WrongValue { given: given_in_words(given), wanted: wanted_in_words(wanted) })
    }

    fn invalid_value(given: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(given, wanted)
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::of(DocumentMistake::UnknownWord { word: word.to_owned(), known })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::of(DocumentMistake::UnknownKey { key: key.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::of(DocumentMistake::MissingKey(key))
    }
}

/// Reads `text` as a document.
pub(super) fn read<T: for<'d> Deserialize<'d>>(text: &str) -> Result<T, DocumentError> {
    let root = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        DocumentError::of(DocumentMistake::NotToml(error.message().lines().collect::<Vec<_>>().join(", "))).at(at)
    })?;
    let start = root.span().start;
    T::deserialize(TomlValue { value: DeValue::Table(root.into_inner()), at: start })
}

/// A value, and the offset at which it begins.
struct TomlValue<'de> {
    value: DeValue<'de>,
    at: usize,
}

impl<'de> From<Spanned<DeValue<'de>>> for TomlValue<'de> {
    fn from(value: Spanned<DeValue<'de>>) -> Self {
        Self { at: value.span().start, value: value.into_inner() }
    }
}

impl<'de> Deserializer<'de> for TomlValue<'de> {
    type Error = DocumentError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DocumentError> {
        let visited = match self.value {
            DeValue::String(text) => visitor.visit_string(text.into_owned()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => Err(too_large(number.as_str())),
            },
            // TOML's floats are those of Rust, `inf` and `nan` included.
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(DocumentError::invalid_type(Unexpected::Str(number.as_str()), &"a number")),
            },
            DeValue::Boolean(is_on) => visitor.visit_bool(is_on),
            DeValue::Datetime(time) => visitor.visit_string(time.to_string()),
            DeValue::Array(array) => visitor.visit_seq(TomlElements(array.into_iter())),
            DeValue::Table(table) => visitor.visit_map(TomlEntries { entries: table.into_iter(), next: None }),
        };
        visited.map_err(|error| error.at(self.at))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DocumentError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DocumentError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DocumentError> {
        let at = self.at;
        let word = String::deserialize(self)?;
        visitor.visit_enum(TomlWord(word)).map_err(|error| error.at(at))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

fn too_large(number: &str) -> DocumentError {
    DocumentError::invalid_value(Unexpected::Other(&format!("integer `{number}`")), &"a smaller number")
}

/// The elements of an array.
struct TomlElements<'de>(<DeArray<'de> as IntoIterator>::IntoIter);

impl<'de> SeqAccess<'de> for TomlElements<'de> {
    type Error = DocumentError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, DocumentError> {
        self.0.next().map(|element| seed.deserialize(TomlValue::from(element))).transpose()
    }
}

/// The keys and values of a table.
struct TomlEntries<'de> {
    entries: <DeTable<'de> as IntoIterator>::IntoIter,
    /// The key that was read last, and its value.
    next: Option<(String, TomlValue<'de>)>,
}

impl<'de> MapAccess<'de> for TomlEntries<'de> {
    type Error = DocumentError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, DocumentError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        let (at, key) = (key.span().start, key.into_inner().into_owned());
        self.next = Some((key.clone(), TomlValue::from(value)));
        let key: StringDeserializer<DocumentError> = key.into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| error.at(at))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DocumentError> {
        let (key, value) = self.next.take().ok_or_else(|| DocumentError::custom("a key comes before its value"))?;
        let at = value.at;
        let read = seed.deserialize(value).map_err(|error| error.at(at));
        read.map_err(|error| DocumentError { key: error.key.or(Some(key)), ..error })
    }
}

/// A word that is one of several.
struct TomlWord(String);

impl<'de> EnumAccess<'de> for TomlWord {
    type Error = DocumentError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), DocumentError> {
        let word: StringDeserializer<DocumentError> = self.0.clone().into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'de> VariantAccess<'de> for TomlWord {
    type Error = DocumentError;

    fn unit_variant(self) -> Result<(), DocumentError> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _: S) -> Result<S::Value, DocumentError> {
        Err(self.has_no_value())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, DocumentError> {
        Err(self.has_no_value())
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, DocumentError> {
        Err(self.has_no_value())
    }
}

impl TomlWord {
    fn has_no_value(&self) -> DocumentError {
        DocumentError::invalid_type(Unexpected::Str(&self.0), &"a word alone")
    }
}
