//! What the rules look at: our Rust files, the paths and macro calls in them, and the files that
//! the repository holds. Rust's own tokenizer reads them, so that a comment, a string or a doc link
//! is never taken for code.

use std::path::Path;
use std::process::Command;
use std::{fs, iter};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// One Rust file.
pub struct Source {
    /// Relative to the repository.
    pub file: String,
    /// Its module, from the crate's root; `lib` and `main` for the roots themselves.
    pub module: Vec<String>,
    pub text: String,
}

/// A path as written in the code, use trees spelled out: `std::{fs, io}` is two.
pub struct WrittenPath {
    pub written: Vec<String>,
    /// Where it leads in our own crate, from the root; `None` when it starts elsewhere.
    pub target: Option<Vec<String>>,
    pub line: usize,
}

impl Source {
    pub fn new(file: &str, text: impl Into<String>) -> Self {
        let inner = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        Self {
            file: file.to_owned(),
            module: inner.split('/').map(str::to_owned).collect(),
            text: text.into(),
        }
    }

    pub fn below(directory: &str) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = Vec::new();
        let mut directories = vec![root.join(directory)];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.ends_with("target") {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let file = path.strip_prefix(root).unwrap().to_str().unwrap();
                    sources.push(Self::new(file, fs::read_to_string(&path).unwrap()));
                }
            }
        }
        sources
    }

    /// Whether the file is the `mod tests;` of another.
    pub fn is_unit_test(&self) -> bool {
        self.module.last().is_some_and(|name| name == "tests")
    }

    /// The name and line of every macro call.
    pub fn macro_calls(&self) -> Vec<(String, usize)> {
        macro_calls(self.tokens())
    }

    /// The line of every use of a keyword or name; comments and texts have none.
    pub fn uses_of(&self, word: &str) -> Vec<usize> {
        uses_of(word, self.tokens())
    }

    /// Every path in the code that ships: unit tests may do what they like.
    pub fn paths(&self) -> Vec<WrittenPath> {
        let mut paths = Vec::new();
        if !self.is_unit_test() {
            collect_paths(self.tokens(), &self.module, &mut paths);
        }
        paths
    }

    fn tokens(&self) -> TokenStream {
        self.text.parse().unwrap_or_else(|error| panic!("{}: {error}", self.file))
    }
}

fn collect_paths(tokens: TokenStream, module: &[String], paths: &mut Vec<WrittenPath>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        rest = match rest {
            [
                TokenTree::Punct(_),
                TokenTree::Group(attribute),
                TokenTree::Ident(word),
                _,
                TokenTree::Group(_),
                after @ ..,
            ] if is_cfg_test(attribute) && word == "mod" => after,
            [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(body), after @ ..]
                if word == "mod" =>
            {
                collect_paths(body.stream(), &[module, &[name.to_string()]].concat(), paths);
                after
            }
            [TokenTree::Ident(_), ..] => {
                let start = first.span().start().line;
                let (written, after) = path_at(rest);
                paths.extend(written.into_iter().map(|written| {
                    let target = target_of(&written, module);
                    WrittenPath { written, target, line: start }
                }));
                after
            }
            [TokenTree::Group(group), ..] => {
                collect_paths(group.stream(), module, paths);
                after
            }
            _ => after,
        };
    }
}

fn is_cfg_test(attribute: &Group) -> bool {
    attribute.to_string().replace(' ', "") == "[cfg(test)]"
}

/// The paths of the use tree (a plain path is a tree of one) at the start of `tokens`, and what
/// follows the tree.
fn path_at(tokens: &[TokenTree]) -> (Vec<Vec<String>>, &[TokenTree]) {
    let (first, rest) = match tokens {
        [TokenTree::Ident(name), rest @ ..] => (name.to_string(), rest),
        [TokenTree::Punct(star), rest @ ..] if star.as_char() == '*' => ("*".to_owned(), rest),
        [TokenTree::Group(tree), rest @ ..] if tree.delimiter() == Delimiter::Brace => {
            let branches: Vec<TokenTree> = tree.stream().into_iter().collect();
            let paths = branches.split(|token| is_punct(token, ',')).flat_map(|branch| path_at(branch).0);
            return (paths.collect(), rest);
        }
        _ => return (Vec::new(), tokens),
    };
    match rest {
        [colon, second, tail @ ..] if is_punct(colon, ':') && is_punct(second, ':') => {
            let (tails, rest) = path_at(tail);
            if tails.is_empty() {
                return (vec![vec![first]], rest);
            }
            let paths = tails.into_iter().map(|tail| iter::once(first.clone()).chain(tail).collect());
            (paths.collect(), rest)
        }
        _ => (vec![vec![first]], rest),
    }
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// Where a path written in `module` leads in our crate. A bare `crate`, `self` or `super` (as in
/// `pub(super)`) leads nowhere.
fn target_of(written: &[String], module: &[String]) -> Option<Vec<String>> {
    let supers = written.iter().take_while(|segment| *segment == "super").count();
    let (base, tail) = match written {
        [first, tail @ ..] if first == "crate" => (&[][..], tail),
        [first, tail @ ..] if first == "self" => (module, tail),
        [..] if supers > 0 => (&module[..module.len().checked_sub(supers)?], &written[supers..]),
        _ => return None,
    };
    (!tail.is_empty()).then(|| [base, tail].concat())
}

fn macro_calls(tokens: TokenStream) -> Vec<(String, usize)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let calls = tokens.windows(2).filter_map(|pair| match pair {
        [TokenTree::Ident(name), bang] if is_punct(bang, '!') => {
            Some((name.to_string(), name.span().start().line))
        }
        _ => None,
    });
    let nested = tokens.iter().flat_map(|token| match token {
        TokenTree::Group(group) => macro_calls(group.stream()),
        TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
    });
    calls.chain(nested).collect()
}

fn uses_of(word: &str, tokens: TokenStream) -> Vec<usize> {
    let of_token = |token: TokenTree| match token {
        TokenTree::Ident(name) if name == word => vec![name.span().start().line],
        TokenTree::Group(group) => uses_of(word, group.stream()),
        TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
    };
    tokens.into_iter().flat_map(of_token).collect()
}

/// What git tracks; in a copy without a repository, what is there besides build output.
pub fn tracked_files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if root.join(".git").exists() {
        // A checkout that another user owns is fine: nothing in it is run.
        let git = Command::new("git").args(["-c", "safe.directory=*", "ls-files"]).current_dir(root).output();
        let git = git.expect("git is needed to list what the repository holds");
        assert!(git.status.success(), "git ls-files: {}", String::from_utf8_lossy(&git.stderr));
        return String::from_utf8(git.stdout).unwrap().lines().map(str::to_owned).collect();
    }
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.filter(|name| name != "target").collect()
}
