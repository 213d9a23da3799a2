//! How wrong use is answered: in one sentence with a way out.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What clap found wrong, as one sentence with its hint.
pub(in crate::cli) fn sentence(error: &clap::Error) -> String {
    let context = ErrorContext(error);
    let argument = context.joined(ContextKind::InvalidArg);
    let value = context.joined(ContextKind::InvalidValue);
    let what = match error.kind() {
        ErrorKind::UnknownArgument => format!("unexpected argument '{argument}' found"),
        ErrorKind::InvalidSubcommand => {
            format!("unrecognized subcommand '{}'", context.joined(ContextKind::InvalidSubcommand))
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("a value is missing for '{argument}'"),
        ErrorKind::InvalidValue => format!("invalid value '{value}' for '{argument}'"),
        // The parser of the value has its own words.
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(ToString::to_string);
            let why = why.unwrap_or_else(|| context.joined(ContextKind::Custom));
            let colon = if why.is_empty() { "" } else { ": " };
            return format!("invalid value '{value}' for '{argument}'{colon}{why}; see conntop --help");
        }
        ErrorKind::NoEquals => format!("write '{argument}' with '=' and no blank before its value"),
        ErrorKind::TooManyValues => format!("'{value}' is one value too many for '{argument}'"),
        ErrorKind::ArgumentConflict => conflict(&argument, &context.joined(ContextKind::PriorArg)),
        ErrorKind::MissingRequiredArgument => {
            format!("the following required arguments were not provided: {argument}")
        }
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8 text".to_owned(),
        kind => kind.as_str().unwrap_or("the command line was not understood").to_owned(),
    };
    format!("{what}; {}", context.hint())
}

fn conflict(argument: &str, other: &str) -> String {
    if other.is_empty() || other == argument {
        format!("the argument '{argument}' cannot be used multiple times")
    } else {
        format!("the argument '{argument}' cannot be used with '{other}'")
    }
}

/// What an error of clap says about itself, apart from its prose.
struct ErrorContext<'e>(&'e clap::Error);

impl ErrorContext<'_> {
    fn texts(&self, kind: ContextKind) -> Vec<String> {
        match self.0.get(kind) {
            Some(ContextValue::String(text)) => vec![text.clone()],
            Some(ContextValue::Strings(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    fn joined(&self, kind: ContextKind) -> String {
        self.texts(kind).join(", ")
    }

    /// What to write instead: what was most likely meant, else all values there are.
    fn hint(&self) -> String {
        let kinds = [ContextKind::SuggestedArg, ContextKind::SuggestedValue, ContextKind::SuggestedSubcommand];
        if let Some(meant) = kinds.into_iter().find_map(|kind| self.texts(kind).into_iter().next()) {
            return format!("did you mean '{meant}'?");
        }
        if let Some(listed) = self.texts(ContextKind::Custom).into_iter().next() {
            return listed;
        }
        match self.texts(ContextKind::ValidValue).split_last() {
            Some((last, [])) => format!("there is {last}"),
            Some((last, others)) => format!("there are {} and {last}", others.join(", ")),
            None => "see conntop --help".to_owned(),
        }
    }
}
