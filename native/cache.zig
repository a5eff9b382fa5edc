//! A cache of fixed size: keys are keyed hashes, a full set forgets its oldest entry. No flood of new keys grows it.

const Allocator = @import("std").mem.Allocator;

const ways = 4;

pub fn Cache(comptime Value: type) type {
    return struct {
        const Self = @This();
        const Set = struct {
            keys: [ways]u128,
            values: [ways]Value,
            next: u8,
        };
        sets: []Set,

        /// `n_sets` is a power of two.
        pub fn init(gpa: Allocator, n_sets: usize) !Self {
            const self = Self{ .sets = try gpa.alloc(Set, n_sets) };
            self.clear();
            return self;
        }

        pub fn clear(self: Self) void {
            for (self.sets) |*set| {
                set.keys = @splat(0);
                set.next = 0;
            }
        }

        fn setOf(self: Self, key: u128) *Set {
            return &self.sets[@as(usize, @truncate(key >> 64)) & (self.sets.len - 1)];
        }

        pub fn get(self: Self, key: u128) ?Value {
            const set = self.setOf(key);
            inline for (0..ways) |way| {
                if (set.keys[way] == key | 1) return set.values[way];
            }
            return null;
        }

        /// A key is kept with its last bit set, so that none is that of an empty place.
        pub fn put(self: Self, key: u128, value: Value) void {
            const set = self.setOf(key);
            inline for (0..ways) |way| {
                if (set.keys[way] == key | 1) {
                    set.values[way] = value;
                    return;
                }
            }
            set.keys[set.next] = key | 1;
            set.values[set.next] = value;
            set.next = (set.next + 1) % ways;
        }
    };
}
