//! The fields of a body, read leniently; what is wrong with them is told all at once, in the words of the schema
//! library of the vendor's server (zod 3).

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::clock::Timestamp;

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Issue {
    /// `invalid_type`, `invalid_enum_value`, `too_small` or `custom`
    pub(super) code: &'static str,
    /// What was expected
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) expected: Option<&'static str>,
    /// The type of what was sent
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) received: Option<&'static str>,
    /// What would be taken
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) options: Vec<&'static str>,
    /// The field
    pub(super) path: Vec<String>,
    /// For people
    pub(super) message: String,
}

impl Issue {
    fn of_type(path: Vec<String>, expected: &'static str, received: &'static str) -> Self {
        let message = match received {
            "undefined" => "Required".to_owned(),
            _ => format!("Expected {expected}, received {received}"),
        };
        let issue = Self::new("invalid_type", path, message);
        Self { expected: Some(expected), received: Some(received), ..issue }
    }

    fn new(code: &'static str, path: Vec<String>, message: String) -> Self {
        Self { code, expected: None, received: None, options: Vec::new(), path, message }
    }
}

/// An object, and the issues that were found in it.
pub(super) struct Fields {
    object: Map<String, Value>,
    prefix: Vec<String>,
    issues: Vec<Issue>,
}

impl Fields {
    /// # Errors
    /// It is no object.
    pub(super) fn of(value: Value) -> Result<Self, Vec<Issue>> {
        match value {
            Value::Object(object) => Ok(Self { object, prefix: Vec::new(), issues: Vec::new() }),
            other => Err(vec![Issue::of_type(Vec::new(), "object", type_of(&other))]),
        }
    }

    /// The object in a field, whose issues have to be given back by [`Fields::take_issues`].
    pub(super) fn inner(&mut self, field: &'static str) -> Self {
        let prefix = self.path(field);
        match self.take(field) {
            Some(Value::Object(object)) => Self { object, prefix, issues: Vec::new() },
            other => {
                let received = other.as_ref().map_or("undefined", type_of);
                let issues = vec![Issue::of_type(prefix.clone(), "object", received)];
                Self { object: Map::new(), prefix, issues }
            }
        }
    }

    pub(super) fn take_issues(&mut self, other: Self) {
        self.issues.extend(other.issues);
    }

    /// Text without space around it.
    pub(super) fn text(&mut self, field: &'static str) -> Option<String> {
        match self.take(field)? {
            Value::String(text) => Some(text.trim().to_owned()),
            other => self.wrong(field, "string", &other),
        }
    }

    pub(super) fn required_text(&mut self, field: &'static str) -> String {
        self.required(field, "string");
        let text = self.text(field);
        if text.as_deref() == Some("") {
            let message = "String must contain at least 1 character(s)".to_owned();
            self.issues.push(Issue::new("too_small", self.path(field), message));
        }
        text.unwrap_or_default()
    }

    pub(super) fn boolean(&mut self, field: &'static str) -> Option<bool> {
        match self.take(field)? {
            Value::Bool(value) => Some(value),
            other => self.wrong(field, "boolean", &other),
        }
    }

    /// The path length of a CA; `None` for the vendor's -1, which is no limit.
    pub(super) fn path_length(&mut self, field: &'static str) -> Option<u8> {
        let value = self.take(field)?;
        let Some(number) = value.as_f64() else { return self.wrong(field, "number", &value) };
        if number == -1.0 {
            return None;
        }
        let whole = value.as_u64().or_else(|| format!("{number}").parse().ok());
        let length = whole.and_then(|number| u8::try_from(number).ok());
        if length.is_none() {
            let message = "must be a whole number from -1, which is no limit, to 255";
            self.issues.push(Issue::new("custom", self.path(field), message.to_owned()));
        }
        length
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        field: &'static str,
        choices: &'static [(&'static str, T)],
    ) -> Option<T> {
        let value = self.take(field)?;
        let Value::String(given) = &value else { return self.wrong(field, "string", &value) };
        let found = choices.iter().find(|(name, _)| name == given);
        if found.is_none() {
            let options: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            let expected = options.iter().map(|option| format!("'{option}'")).collect::<Vec<_>>().join(" | ");
            let message = format!("Invalid enum value. Expected {expected}");
            let issue = Issue::new("invalid_enum_value", self.path(field), message);
            self.issues.push(Issue { options, ..issue });
        }
        found.map(|(_, choice)| *choice)
    }

    /// A time: RFC 3339, or a date alone, which is its midnight, or without a zone, which is UTC.
    pub(super) fn time(&mut self, field: &'static str) -> Option<Timestamp> {
        let text = self.text(field)?;
        let read = [text.clone(), format!("{text}Z"), format!("{text}T00:00:00Z")];
        let time = read.iter().find_map(|text| text.parse().ok());
        if time.is_none() {
            self.issues.push(Issue::new("custom", self.path(field), "Invalid date format".to_owned()));
        }
        time
    }

    /// Notes that a field is missing.
    pub(super) fn required(&mut self, field: &'static str, expected: &'static str) {
        if matches!(self.object.get(field), None | Some(Value::Null)) {
            self.issues.push(Issue::of_type(self.path(field), expected, "undefined"));
        }
    }

    /// Notes a rule that is broken.
    pub(super) fn broken(&mut self, field: Option<&str>, message: impl Into<String>) {
        let mut path = self.prefix.clone();
        path.extend(field.map(str::to_owned));
        self.issues.push(Issue::new("custom", path, message.into()));
    }

    /// # Errors
    /// Every issue that was found.
    pub(super) fn finish<T>(self, result: T) -> Result<T, Vec<Issue>> {
        if self.issues.is_empty() { Ok(result) } else { Err(self.issues) }
    }

    /// `null` is as good as nothing: clients in Python send it for None.
    fn take(&mut self, field: &str) -> Option<Value> {
        self.object.remove(field).filter(|value| !value.is_null())
    }

    fn wrong<T>(&mut self, field: &'static str, expected: &'static str, found: &Value) -> Option<T> {
        self.issues.push(Issue::of_type(self.path(field), expected, type_of(found)));
        None
    }

    fn path(&self, field: &str) -> Vec<String> {
        let mut path = self.prefix.clone();
        path.push(field.to_owned());
        path
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::of(value).ok().unwrap()
    }

    #[test]
    fn every_issue_is_told_with_its_path() {
        let mut outer = fields(json!({ "a": 1, "b": { "c": true, "d": "x", "e": "tomorrow", "f": 300 } }));
        assert_eq!(outer.text("a"), None);
        assert_eq!(outer.required_text("z"), "");
        let mut inner = outer.inner("b");
        inner.text("c");
        inner.choice("d", &[("y", 1), ("z", 2)]);
        inner.time("e");
        inner.path_length("f");
        outer.take_issues(inner);
        let issues = outer.finish(()).unwrap_err();
        let told: Vec<_> = issues.iter().map(|issue| (issue.code, issue.path.join("."))).collect();
        let expected = [
            ("invalid_type", "a"),
            ("invalid_type", "z"),
            ("invalid_type", "b.c"),
            ("invalid_enum_value", "b.d"),
            ("custom", "b.e"),
            ("custom", "b.f"),
        ];
        assert_eq!(told, expected.map(|(code, path)| (code, path.to_owned())));
        assert_eq!(issues[0].message, "Expected string, received number");
        assert_eq!(issues[1].message, "Required");
        assert_eq!(issues[3].message, "Invalid enum value. Expected 'y' | 'z'");
        assert_eq!(issues[4].message, "Invalid date format");
    }

    #[test]
    fn times_and_path_lengths_are_read_leniently() {
        for text in
            ["2030-01-02", "2030-01-02T00:00:00", "2030-01-02T00:00:00.000Z", "2030-01-02T01:00:00+01:00"]
        {
            let time = fields(json!({ "t": text })).time("t").unwrap();
            assert_eq!(time.to_string(), "2030-01-02T00:00:00.000Z", "{text}");
        }
        for (value, length) in
            [(json!(-1), None), (json!(0), Some(0)), (json!(3.0), Some(3)), (json!(null), None)]
        {
            let mut fields = fields(json!({ "n": value }));
            assert_eq!(fields.path_length("n"), length);
            fields.finish(()).unwrap();
        }
        for wrong in [json!(-2), json!(256), json!(1.5), json!("1")] {
            let mut fields = fields(json!({ "n": wrong }));
            fields.path_length("n");
            assert!(fields.finish(()).is_err(), "{wrong}");
        }
        assert!(Fields::of(json!([])).is_err());
    }
}
