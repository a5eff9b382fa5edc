//! What the Python side hands over: words of 32 bits, and texts in one row of bytes that the words point into.

const std = @import("std");

pub const Error = error{ Malformed, OutOfMemory, Full };

pub const Blob = struct {
    words: []const u32,
    /// Texts point in here: they must live as long as what is made of them.
    bytes: []const u8,
    at: usize = 0,

    pub fn word(self: *Blob) Error!u32 {
        if (self.at >= self.words.len) return error.Malformed;
        defer self.at += 1;
        return self.words[self.at];
    }

    pub fn half(self: *Blob) Error!u16 {
        return std.math.cast(u16, try self.word()) orelse error.Malformed;
    }

    pub fn long(self: *Blob) Error!u64 {
        const low: u64 = try self.word();
        return @as(u64, try self.word()) << 32 | low;
    }

    /// A number of things each of which takes at least one word.
    pub fn count(self: *Blob) Error!usize {
        const found = try self.word();
        return if (found > self.words.len) error.Malformed else found;
    }

    /// A count, then that many words.
    pub fn list(self: *Blob) Error![]const u32 {
        const length = try self.word();
        if (length > self.words.len - self.at) return error.Malformed;
        defer self.at += length;
        return self.words[self.at..][0..length];
    }

    /// An offset and a length.
    pub fn text(self: *Blob) Error![]const u8 {
        const from = try self.word();
        const length = try self.word();
        if (from > self.bytes.len or length > self.bytes.len - from) return error.Malformed;
        return self.bytes[from..][0..length];
    }

    pub fn end(self: *const Blob) Error!void {
        if (self.at != self.words.len) return error.Malformed;
    }
};
