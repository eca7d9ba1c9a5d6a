//! `#[procs::task]`: a function becomes a value that names it, and an entry in the binary's task table.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Error, FnArg, Ident, ItemFn, Result, ReturnType, Safety, Signature, Type};

use crate::options::{TaskOptions, task_options};

/// serde implements its traits for tuples up to this length.
const MAX_ARGUMENTS: usize = 16;

/// Expands `#[procs::task]`.
pub fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = task_options(options)?;
    let function: ItemFn = syn::parse2(item).map_err(|error| {
        Error::new(
            error.span(),
            format!("#[procs::task] belongs on a free function: {error}"),
        )
    })?;
    let arguments = check(&function.sig)?;
    refuse_self(&function)?;
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => {
            refuse_borrow(output, "returns")?;
            output.to_token_stream()
        }
    };
    Ok(assemble(&options, function, &arguments, &output))
}

/// Refuses every signature that cannot run in another process, and returns the argument types.
fn check(signature: &Signature) -> Result<Vec<Type>> {
    let refuse = |tokens: &dyn ToTokens, message: &str| Err(Error::new_spanned(tokens, message));
    if let Some(receiver) = signature.receiver() {
        return refuse(
            receiver,
            "a task is a free function: it cannot take `self`. Pass the value as an argument",
        );
    }
    if !signature.generics.params.is_empty() {
        return refuse(
            &signature.generics,
            "a task cannot be generic: the other process looks it up by name. Write one task for each type, \
             which calls the generic function",
        );
    }
    if let Some(token) = &signature.asyncness {
        return refuse(
            token,
            "a task cannot be `async`: it has a whole process to itself. Block on the future inside",
        );
    }
    if let Safety::Unsafe(token) = &signature.safety {
        return refuse(
            token,
            "a task cannot be `unsafe`: its caller would be another process. Wrap it in a safe function",
        );
    }
    if let Some(abi) = &signature.abi {
        return refuse(
            abi,
            "a task cannot have a foreign ABI. Call the foreign function from a task",
        );
    }
    if let Some(variadic) = &signature.variadic {
        return refuse(variadic, "a task cannot be variadic. Take a Vec");
    }
    if signature.inputs.len() > MAX_ARGUMENTS {
        return refuse(
            &signature.inputs,
            "a task takes at most 16 arguments. Take a struct",
        );
    }
    signature.inputs.iter().map(argument_type).collect()
}

/// Refuses an associated function, as far as it names `Self`.
fn refuse_self(function: &ItemFn) -> Result<()> {
    let signature = find_self(function.sig.to_token_stream());
    match signature.or_else(|| find_self(function.block.to_token_stream())) {
        None => Ok(()),
        Some(token) => Err(Error::new_spanned(
            token,
            "a task is a free function: it cannot stand in an `impl` block. Move it out, and name the type",
        )),
    }
}

/// The first `Self` in the tokens. A block that has items of its own is skipped: `Self` may be theirs.
fn find_self(tokens: TokenStream) -> Option<TokenTree> {
    let items = ["impl", "trait", "struct", "enum", "union"];
    let is_item = |token: &TokenTree| match token {
        TokenTree::Ident(ident) => items.iter().any(|item| ident == item),
        _ => false,
    };
    if tokens.clone().into_iter().any(|token| is_item(&token)) {
        return None;
    }
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ref ident) if ident == "Self" => Some(token),
        TokenTree::Group(group) => find_self(group.stream()),
        _ => None,
    })
}

/// The type of one argument, which must be owned.
fn argument_type(argument: &FnArg) -> Result<Type> {
    match argument {
        FnArg::Receiver(receiver) => Err(Error::new_spanned(receiver, "a task cannot take `self`")),
        FnArg::Typed(typed) => {
            refuse_borrow(&typed.ty, "takes")?;
            Ok((*typed.ty).clone())
        }
    }
}

/// Refuses references, lifetimes and `impl Trait` anywhere in a type.
fn refuse_borrow(ty: &Type, verb: &str) -> Result<()> {
    match find_borrow(ty.to_token_stream()) {
        None => Ok(()),
        Some("impl") => Err(Error::new_spanned(
            ty,
            format!(
                "a task {verb} concrete types, not `impl Trait`: the other process must know what to decode"
            ),
        )),
        Some(_) => Err(Error::new_spanned(
            ty,
            format!(
                "a task {verb} owned values: a reference means nothing in another process. Use String for &str, Vec<T> for &[T]"
            ),
        )),
    }
}

/// The first token of a type that borrows or hides, if there is one.
fn find_borrow(tokens: TokenStream) -> Option<&'static str> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Punct(punct) if punct.as_char() == '&' => Some("&"),
        TokenTree::Punct(punct) if punct.as_char() == '\'' => Some("'"),
        TokenTree::Ident(ident) if ident == "impl" => Some("impl"),
        TokenTree::Group(group) => find_borrow(group.stream()),
        _ => None,
    })
}

/// The attributes of a task by the item that they belong to.
struct SortedAttributes {
    /// Documentation and deprecation.
    docs: Vec<Attribute>,
    /// Conditions of compilation, which belong to every item.
    conditions: Vec<Attribute>,
    /// All others, which belong to the function.
    rest: Vec<Attribute>,
}

fn sort(attributes: Vec<Attribute>) -> SortedAttributes {
    let mut sorted = SortedAttributes {
        docs: Vec::new(),
        conditions: Vec::new(),
        rest: Vec::new(),
    };
    for attribute in attributes {
        if attribute.path().is_ident("doc") || attribute.path().is_ident("deprecated") {
            sorted.docs.push(attribute);
        } else if attribute.path().is_ident("cfg") {
            sorted.conditions.push(attribute);
        } else {
            sorted.rest.push(attribute);
        }
    }
    sorted
}

/// Writes the function, the unit struct that stands for it, and what [`registration`] writes.
fn assemble(
    options: &TaskOptions,
    function: ItemFn,
    arguments: &[Type],
    output: &TokenStream,
) -> TokenStream {
    match &options.value {
        Some(value) => assemble_beside(options, function, value, arguments, output),
        None => assemble_instead(options, function, arguments, output),
    }
}

/// Keeps the function as it is, and writes the unit struct under a name of its own.
fn assemble_beside(
    options: &TaskOptions,
    function: ItemFn,
    value: &Ident,
    arguments: &[Type],
    output: &TokenStream,
) -> TokenStream {
    let conditions = sort(function.attrs.clone()).conditions;
    let visibility = &function.vis;
    let name = &function.sig.ident;
    let registration = registration(options, value, name, name, arguments, output);
    let doc = format!("The task [`{0}`](fn@{0}).", name.unraw());
    quote! {
        #function

        #(#conditions)*
        #[doc = #doc]
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug)]
        #visibility struct #value;

        #(#conditions)*
        const _: () = {
            #registration
        };
    }
}

/// Gives the unit struct the function's name, and the function a hidden one. Inside its body the task's name is the task, so
/// that a task may start itself again.
fn assemble_instead(
    options: &TaskOptions,
    function: ItemFn,
    arguments: &[Type],
    output: &TokenStream,
) -> TokenStream {
    let SortedAttributes {
        docs,
        conditions,
        rest,
    } = sort(function.attrs);
    let visibility = function.vis;
    let name = function.sig.ident.clone();
    let hidden = format_ident!("__task_{}", name.unraw().to_string(), span = name.span());
    let mut signature = function.sig;
    signature.ident = hidden.clone();
    let block = function.block;
    let registration = registration(options, &name, &name, &hidden, arguments, output);
    let deref = deref(&name, &hidden, arguments, output);
    quote! {
        #(#conditions)* #(#docs)*
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug)]
        #visibility struct #name;

        #(#conditions)*
        const _: () = {
            #(#rest)* #signature #block
            #registration
            #deref
        };
    }
}

/// Writes the implementation of `Task` for the value's type, and the entry in the binary's table.
///
/// `name` is the function's name as it is written, `function` the one under which it can be called.
fn registration(
    options: &TaskOptions,
    value: &Ident,
    name: &Ident,
    function: &Ident,
    arguments: &[Type],
    output: &TokenStream,
) -> TokenStream {
    let procs = &options.procs;
    let text = name.unraw().to_string();
    let values: Vec<_> = (0..arguments.len())
        .map(|n| format_ident!("a{n}", span = Span::mixed_site()))
        .collect();
    let (args, pattern) = match (arguments, values.as_slice()) {
        ([one], [value]) => (quote!(#one), quote!(#value)),
        _ => (quote!((#(#arguments),*)), quote!((#(#values),*))),
    };
    let shape = format!("fn({}) -> {output}", quote!(#(#arguments),*));
    quote! {
        impl #procs::Task for #value {
            type Args = #args;
            type Output = #output;
            const NAME: &'static str = ::core::concat!(::core::module_path!(), "::", #text);
            const SIGNATURE: &'static str = #shape;
            const PLACE: &'static str = ::core::concat!(::core::file!(), ":", ::core::line!(), ":", ::core::column!());
            fn call(#pattern: Self::Args) -> Self::Output {
                #function(#(#values),*)
            }
        }

        #[#procs::__private::linkme::distributed_slice(#procs::__private::TASKS)]
        #[linkme(crate = #procs::__private::linkme)]
        static ENTRY: #procs::__private::Entry = #procs::__private::Entry::of::<#value>();
    }
}

/// Writes the dereference of the value's type to the function, so that the value can be called.
fn deref(value: &Ident, function: &Ident, arguments: &[Type], output: &TokenStream) -> TokenStream {
    quote! {
        impl ::core::ops::Deref for #value {
            type Target = fn(#(#arguments),*) -> #output;
            fn deref(&self) -> &Self::Target {
                static FUNCTION: fn(#(#arguments),*) -> #output = #function;
                &FUNCTION
            }
        }
    }
}
