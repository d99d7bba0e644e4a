//! Reads the text of a name: RFC 4514 with the quotes of RFC 2253, or OpenSSL's slash style.

use x509_cert::attr::AttributeTypeAndValue;

use super::super::invalid::Invalid;
use super::{FIELD, attribute};

/// An attribute and where it stands in the text, if it comes from one.
pub(super) struct Located {
    pub(super) attribute: AttributeTypeAndValue,
    pub(super) position: Option<usize>,
}

/// The relative distinguished names of the text, in the order of the encoding.
pub(super) fn rdns(text: &str) -> Result<Vec<Vec<Located>>, Invalid> {
    let (style, at) = if text.starts_with('/') { (Style::Slash, 1) } else { (Style::Comma, 0) };
    let mut reader = Reader { text, at, style };
    if reader.rest().trim_matches(' ').is_empty() {
        return Ok(Vec::new());
    }
    let mut rdns = vec![vec![reader.attribute()?]];
    while let Some(separator) = reader.advance() {
        let attribute = reader.attribute()?;
        match rdns.last_mut() {
            Some(rdn) if separator == '+' => rdn.push(attribute),
            _ => rdns.push(vec![attribute]),
        }
    }
    match style {
        Style::Comma => rdns.reverse(),
        Style::Slash => {}
    }
    Ok(rdns)
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Comma,
    Slash,
}

impl Style {
    fn separator(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Slash => '/',
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Offset of the next character, in bytes.
    at: usize,
    style: Style,
}

impl<'a> Reader<'a> {
    fn attribute(&mut self) -> Result<Located, Invalid> {
        self.skip_spaces();
        let start = self.at;
        let kind = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
        if kind.is_empty() {
            return Err(invalid(start, self.no_type()));
        }
        let oid = attribute::type_of(kind).map_err(|reason| invalid(start, reason))?;
        self.skip_spaces();
        if self.peek() != Some('=') {
            return Err(invalid(self.at, format!("`=` is missing after the attribute type {kind}")));
        }
        self.advance();
        if self.style == Style::Comma {
            self.skip_spaces();
        }
        let value_at = self.at;
        let attribute = match (self.style, self.peek()) {
            // OpenSSL takes `#` and quotes in slash style literally.
            (Style::Comma, Some('#')) => attribute::with_der(oid, &self.hex_value()?),
            (Style::Comma, Some('"')) => attribute::with_text(oid, &self.quoted_value()?),
            (Style::Comma | Style::Slash, _) => attribute::with_text(oid, &self.plain_value()?),
        };
        let attribute = attribute.map_err(|reason| invalid(value_at, reason))?;
        Ok(Located { attribute, position: Some(start) })
    }

    fn no_type(&self) -> &'static str {
        match self.style {
            Style::Comma => {
                "an attribute type such as CN is expected; a comma inside a value is written `\\,`"
            }
            Style::Slash => {
                "an attribute type such as CN is expected; a slash inside a value is written `\\/`"
            }
        }
    }

    fn plain_value(&mut self) -> Result<String, Invalid> {
        let start = self.at;
        let mut value = Vec::new();
        // Spaces at the end that are not escaped do not belong to the value (RFC 4514 section 2.4).
        let mut kept = 0;
        while let Some(c) = self.peek().filter(|c| !self.ends_value(*c)) {
            match (self.style, c) {
                (_, '\\') => self.escape(&mut value)?,
                (Style::Comma, '"' | ';' | '<' | '>') => {
                    return Err(invalid(self.at, format!("`{c}` inside a value is written `\\{c}`")));
                }
                _ => self.copy(&mut value),
            }
            if self.style == Style::Slash || c != ' ' {
                kept = value.len();
            }
        }
        value.truncate(kept);
        utf8(value, start)
    }

    fn quoted_value(&mut self) -> Result<String, Invalid> {
        let start = self.at;
        self.advance();
        let mut value = Vec::new();
        loop {
            match self.peek() {
                None => return Err(invalid(start, "the closing quote is missing")),
                Some('"') => break,
                Some('\\') => self.escape(&mut value)?,
                Some(_) => self.copy(&mut value),
            }
        }
        self.advance();
        self.end_of_value()?;
        utf8(value, start)
    }

    fn hex_value(&mut self) -> Result<Vec<u8>, Invalid> {
        let start = self.at;
        self.advance();
        let digits = self.take_while(|c| c.is_ascii_hexdigit());
        let value = hex::decode(digits)
            .map_err(|_| invalid(start, "`#` is followed by an even number of hexadecimal digits"))?;
        self.end_of_value()?;
        Ok(value)
    }

    /// Nothing but spaces may stand between the end of a quoted or `#` value and the separator.
    fn end_of_value(&mut self) -> Result<(), Invalid> {
        self.skip_spaces();
        match self.peek() {
            Some(c) if !self.ends_value(c) => {
                Err(invalid(self.at, format!("`{c}` is not expected after the value; `,` or `+` is")))
            }
            _ => Ok(()),
        }
    }

    /// RFC 4514 section 3, `pair`; and `\/`, which slash style needs.
    fn escape(&mut self, value: &mut Vec<u8>) -> Result<(), Invalid> {
        let start = self.at;
        self.advance();
        if self.peek().is_some_and(|c| " \"#+,;<=>\\/".contains(c)) {
            self.copy(value);
            return Ok(());
        }
        let pair = self.rest().get(..2).and_then(|digits| hex::decode(digits).ok());
        let Some(byte) = pair else {
            let reason = "`\\` is followed by one of ` \"#+,;<=>\\/` or by two hexadecimal digits";
            return Err(invalid(start, reason));
        };
        self.at += 2;
        value.extend(byte);
        Ok(())
    }

    fn ends_value(&self, c: char) -> bool {
        c == '+' || c == self.style.separator()
    }

    fn copy(&mut self, value: &mut Vec<u8>) {
        if let Some(c) = self.advance() {
            value.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        self.take_while(|c| c == ' ');
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

fn utf8(value: Vec<u8>, start: usize) -> Result<String, Invalid> {
    String::from_utf8(value).map_err(|_| invalid(start, "the escaped bytes of the value are not UTF-8"))
}

fn invalid(position: usize, reason: impl Into<String>) -> Invalid {
    Invalid::at(FIELD, position, reason)
}
