export * from './errors.ts'
export * from './inference.ts'
export * from './money.ts'
export * from './price.ts'
