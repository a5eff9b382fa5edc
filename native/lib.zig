//! What the Python side calls. A bound that is broken ends the process at once instead of doing harm: this reads what
//! attackers write.

const std = @import("std");
const hashing = @import("hash.zig");
const listing = @import("listed.zig");
const sieves = @import("sieve.zig");
const wording = @import("words.zig");

pub const panic = std.debug.no_panic;

const Sieve = sieves.Sieve;

/// Raised when a function changes what it takes or gives.
const interface = 2;

export fn amagasa_interface() u32 {
    return interface;
}

/// How many line feeds there are.
export fn count_lines(data: [*]const u8, n_bytes: usize) usize {
    return std.mem.countScalar(u8, data[0..n_bytes], '\n');
}

export fn sieve_key_words() u32 {
    return hashing.key_words;
}

export fn sieve_new(
    words: [*]const u32,
    n_words: usize,
    bytes: [*]const u8,
    n_bytes: usize,
    key: [*]const u64,
    n_key: usize,
) ?*Sieve {
    return Sieve.init(words[0..n_words], bytes[0..n_bytes], key[0..n_key]) catch null;
}

/// `what` as `sieve.Addition` lists it. 0 done; 1 malformed; 2 full; 3 out of memory.
export fn sieve_add(
    self: *Sieve,
    what: u32,
    number: u32,
    words: [*]const u32,
    n_words: usize,
    bytes: [*]const u8,
    n_bytes: usize,
) u32 {
    const addition = std.enums.fromInt(sieves.Addition, what) orelse return 1;
    self.add(addition, number, words[0..n_words], bytes[0..n_bytes]) catch |problem| return switch (problem) {
        error.Malformed => 1,
        error.Full => 2,
        error.OutOfMemory => 3,
    };
    return 0;
}

export fn sieve_watch_anew(self: *Sieve, round: u32) void {
    self.watchAnew(round);
}

export fn sieve_watch_on(self: *Sieve, route: u32) void {
    self.watchOn(route);
}

export fn sieve_heat(self: *Sieve, field: u32, kind: u32, bytes: [*]const u8, n_bytes: usize) void {
    self.heat(field, kind, bytes[0..n_bytes]);
}

/// 1 where this cannot be told; then every address is asked about. The tables' bits are the caller's to keep.
export fn sieve_listed(
    self: *Sieve,
    sixteens: [*]const u8,
    n_sixteens: usize,
    tables: [*]const listing.Bits,
    n_tables: usize,
) u32 {
    return @intFromBool(!self.listed.set(sixteens[0..n_sixteens], tables[0..n_tables]));
}

/// No silence counts any longer.
export fn sieve_speak(self: *Sieve) void {
    self.speak();
}

/// `day` is an ordinary stamp of it.
export fn sieve_silence(
    self: *Sieve,
    field: u32,
    kind: u32,
    bytes: [*]const u8,
    n_bytes: usize,
    day: [*]const u8,
    n_day: usize,
    silence: u32,
) void {
    self.keepSilent(field, kind, bytes[0..n_bytes], day[0..n_day], silence);
}

export fn sieve_scan(self: *Sieve, task: *sieves.Scan) void {
    self.scan(task);
}

export fn sieve_free(self: *Sieve) void {
    var arena = self.arena;
    arena.deinit();
}

export fn words_add(data: [*]const u8, n_bytes: usize, is_json: u32, table: [*]u64, n_table: usize, n: u32) u32 {
    return wording.add(data[0..n_bytes], is_json != 0, table[0..n_table], n);
}

export fn words_fill(table: [*]const u64, n_table: usize, lines: [*]u64, n_words: usize) void {
    wording.fill(table[0..n_table], lines[0..n_words]);
}
